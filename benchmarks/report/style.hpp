#pragma once

#include <string_view>

namespace weft::bench {

/// The style sheet of report.html. The colours are Okabe and Ito's, which people with any colour vision tell apart.
inline constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1c1e21;--faint:#6b7075;--line:#e2e4e7;--wide:#b03a00;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#aa4499;--c4:#b08800;--c5:#2d9cdb;--c6:#555;--c7:#882255}
@media(prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e6e8ea;--faint:#9aa0a6;--line:#2c3036;--wide:#ff9c66;
--c0:#56b4e9;--c1:#ff8a3d;--c2:#2fd3a5;--c3:#dd88cc;--c4:#f0d24a;--c5:#8fd3ff;--c6:#bbb;--c7:#ff7aa8}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:46rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.15rem;margin:2.5rem 0 .3rem}
p{margin:.4rem 0}a{color:var(--c0)}nav ul,.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1rem;
margin:.5rem 0;font-size:.9rem}
.key{display:inline-block;width:1.4em;height:0;border-top:3px solid;vertical-align:middle;margin-right:.4em}
.key.dashed{border-top-style:dashed}
svg{display:block;width:100%;height:auto;margin:.5rem 0}svg text{font:12px system-ui,sans-serif;fill:var(--faint)}
.grid{stroke:var(--line);stroke-width:1;fill:none}.axis{stroke:var(--faint);stroke-width:1;fill:none}
.line path{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}.line circle{fill:currentColor}
.line.dashed path{stroke-dasharray:6 4}.bar{fill:currentColor}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}
.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}
.finding{font-weight:600}.wide{color:var(--wide)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}summary{cursor:pointer;color:var(--faint);font-size:.9rem}
dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.2rem 1rem;font-size:.9rem}dd{margin:0}dt{color:var(--faint)}
@media(max-width:30rem){svg text{font-size:13px}dl{display:block}dd{margin-bottom:.4rem}}
)css";

}  // namespace weft::bench
