# Sourced by tools/test, tools/demo and tools/bench, in the root of the tree.

say() { printf '== %s\n' "$*"; }

# weft_build PRESET [TARGET...]: configures the first time (and when the preset has changed), then builds.
weft_build() {
  local preset=$1
  shift
  local launcher=()
  if command -v ccache > /dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  say "build $preset"
  cmake --preset "$preset" --log-level=WARNING "${launcher[@]}" > /dev/null
  cmake --build "build/$preset" -j "$(nproc)" ${1:+--target "$@"}
}
