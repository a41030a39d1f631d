#pragma once

namespace weft_cli {

/// `weft bench ARGUMENT...`: becomes the program weft-bench, which lies beside this one, in libexec or in the tree that
/// both were built in. It is a program of its own, so that this one links nothing that is only measured. Returns (an exit
/// code, after one line on stderr) only if it is not there. `argv` begins with "bench".
int become_bench(char** argv);

}  // namespace weft_cli
