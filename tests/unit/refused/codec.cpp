// Compiled once for each case, and each is to fail with the words that tests/unit/CMakeLists.txt expects.

#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weft/codec.hpp>

using weft::detail::Packed;
using weft::detail::require_result;
using weft::detail::unpack;

struct WithHandle {
  std::string name;
  std::unique_ptr<int> handle;
};

void refused([[maybe_unused]] const weft::detail::Payload& payload) {
#if WEFT_CASE == 0  // Compiles: the cases fail for their own reasons.
  static_assert(require_result<std::string>());
  const Packed<std::string_view, int> packed{"text", 1};
  static_cast<void>(unpack<std::string_view, int>(payload));
#elif WEFT_CASE == 1
  int* pointer = nullptr;
  const Packed<int*> packed{pointer};
#elif WEFT_CASE == 2
  const WithHandle value{};
  const Packed<WithHandle, int> packed{value, 1};
#elif WEFT_CASE == 3
  static_assert(require_result<std::vector<std::string_view>>());
#elif WEFT_CASE == 4
  static_assert(require_result<const int&>());
#elif WEFT_CASE == 5
  static_cast<void>(unpack<const char*>(payload));
#endif
}
