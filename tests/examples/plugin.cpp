// A plug-in: it brings tasks along, and no weft. That it finds in the program which loads it.

#include <sstream>
#include <string>
#include <weft/weft.hpp>

namespace {

std::size_t count_words(const std::string& text) {
  std::istringstream words{text};
  std::size_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}
WEFT_TASK(count_words, count_words);

int square(int number) { return number * number; }

}  // namespace

/// Its own code may submit its own functions as any other: they need no name.
extern "C" [[gnu::visibility("default")]] int sum_of_squares(weft::Pool& pool, int count) {
  int sum = 0;
  for (int i = 1; i <= count; ++i) sum += pool.submit<square>(i).get();
  return sum;
}
