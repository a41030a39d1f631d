#include "work/array_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace weft::work {
namespace {

class ArrayFiles : public testing::Test {
 protected:
  ArrayFiles() : look_{::memfd_create("array", 0)}, file_{base::UniqueFd{::dup(look_.get())}} {
    EXPECT_TRUE(file_.begin());
  }
  [[nodiscard]] std::string text() const {
    std::string text(static_cast<std::size_t>(::lseek(look_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(look_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }
  [[nodiscard]] nlohmann::json array() const { return nlohmann::json::parse(text()); }

  base::UniqueFd look_;
  ArrayFile file_;
};

std::string element(std::size_t number, std::size_t bytes) {
  std::string text = ",\n{\"number\":" + std::to_string(number) + ",\"x\":\"";
  if (bytes > text.size() + 2) text.append(bytes - text.size() - 2, 'x');
  return text + "\"}";
}

TEST_F(ArrayFiles, begins_with_none) { EXPECT_EQ(text(), "[\n]\n"); }

TEST_F(ArrayFiles, is_an_array_after_each_step) {
  std::mt19937 random{7};
  std::size_t count = 0;
  for (int step = 0; step < 60; ++step) {
    std::string elements;
    for (std::size_t i = random() % 20; i-- > 0;) elements += element(count++, random() % 3000);
    ASSERT_TRUE(file_.append(elements));
    if (step % 7 == 3) {
      ASSERT_TRUE(file_.trim());
    }
    const nlohmann::json now = array();
    ASSERT_EQ(now.size(), count);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(now.at(i).at("number"), i);
  }
}

TEST_F(ArrayFiles, keeps_elements_within_pages) {
  constexpr std::size_t kPage = 4096;
  std::string elements;
  for (std::size_t i = 0; i < 500; ++i) elements += element(i, 100 + i * 7);
  ASSERT_TRUE(file_.append(elements));
  const std::string all = text();
  for (std::size_t at = all.find('{'); at != std::string::npos; at = all.find('{', at + 1))
    EXPECT_EQ(at / kPage, all.find('}', at) / kPage) << at;
}

TEST_F(ArrayFiles, takes_elements_of_more_than_a_page) {
  ASSERT_TRUE(file_.append(element(0, 10'000) + element(1, 100) + element(2, 300'000)));
  EXPECT_EQ(array().size(), 3U);
}

TEST_F(ArrayFiles, has_nothing_to_spare_once_it_is_trimmed) {
  ASSERT_TRUE(file_.append(element(0, 0)));
  EXPECT_GT(text().size(), 4096U);
  ASSERT_TRUE(file_.trim());
  EXPECT_EQ(text(), "[\n{\"number\":0,\"x\":\"\"}\n]\n");
}

TEST(ArrayFile, says_that_it_cannot_be_written) {
  ArrayFile file{base::UniqueFd{::open("/dev/full", O_WRONLY)}};
  EXPECT_FALSE(file.begin());
  EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace weft::work
