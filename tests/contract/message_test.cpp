// Tasks typed by a schema: built in place, read in place, and nothing believed that is not verified.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "album_generated.h"

namespace {

using album::Reply;
using album::Request;

weft::Message<Request> request_of(const std::string& title, std::size_t pixels = 0, int width = 64) {
  weft::MessageBuilder builder;
  const auto name = builder.CreateString(title);
  std::uint8_t* to = nullptr;
  const auto bytes = builder.CreateUninitializedVector<std::uint8_t>(pixels, &to);
  for (std::size_t i = 0; i < pixels; ++i) to[i] = static_cast<std::uint8_t>(i);
  return builder.finish(album::CreateRequest(builder, name, width, bytes));
}

std::uint64_t sum_of(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes == nullptr ? 0 : std::accumulate(bytes->begin(), bytes->end(), std::uint64_t{0});
}

weft::Message<Reply> reply_with(const std::string& text, std::uint64_t sum, std::uint64_t worker = 0,
                                std::size_t pixels = 0) {
  weft::MessageBuilder builder{pixels + 512};
  const auto line = builder.CreateString(text);
  const auto bytes = builder.CreateVector(std::vector<std::uint8_t>(pixels, 7));
  return builder.finish(album::CreateReply(builder, line, sum, worker, bytes));
}

weft::Message<Reply> handle(const Request& request) {
  return reply_with("seen " + request.title()->str(), sum_of(request.pixels()));
}
weft::Message<Reply> handle_in_scope(weft::TaskScope& scope, const Request& request) {
  return reply_with(request.title()->str(), static_cast<std::uint64_t>(request.width()), scope.worker_id());
}
weft::Message<Reply> handle_beside(const Request& request, int factor, const std::string& suffix) {
  return reply_with(request.title()->str() + suffix, static_cast<std::uint64_t>(request.width() * factor));
}
weft::Message<Reply> big_reply(std::size_t pixels) { return reply_with("big", 1, 0, pixels); }
weft::Message<Request> hand_back(weft::Message<Request> request) { return request; }
std::uint64_t address_of(const Request& request) { return reinterpret_cast<std::uintptr_t>(&request); }
/// A worker that writes over its message after it was built.
weft::Message<Reply> lie() {
  auto reply = reply_with("lie", 1);
  std::memset(const_cast<std::byte*>(reply.bytes().data()), 0x7f, reply.bytes().size());
  return reply;
}
WEFT_TASK(handle_named, handle);

struct Develop {
  std::string film;
  weft::Message<Request> request;
  std::optional<weft::Message<Request>> other;
  weft::Message<Reply> run() const {
    return reply_with(film + request->title()->str() + (other ? (*other)->title()->str() : "-"), 0);
  }
};

class Messages : public testing::Test {
 protected:
  weft::Pool pool{{.limit = 1}};
};

TEST_F(Messages, are_taken_in_place_and_answered_with_messages) {
  const weft::Message<Reply> reply = pool.submit<handle>(request_of("cat", 5)).get();
  EXPECT_EQ(reply->text()->str(), "seen cat");
  EXPECT_EQ(reply->sum(), 10U);
}

TEST_F(Messages, are_taken_behind_the_scope_of_the_task) {
  const auto reply = pool.submit<handle_in_scope>(request_of("dog", 0, 31)).get();
  EXPECT_EQ(reply->text()->str(), "dog");
  EXPECT_EQ(reply->sum(), 31U);
  EXPECT_EQ(reply->worker(), 1U);
}

TEST_F(Messages, are_taken_by_lambdas_with_and_without_captures) {
  const auto plain = [](const Request& request) { return request.width(); };
  EXPECT_EQ(pool.submit(plain, request_of("x", 0, 5)).get(), 5);
  int factor = 3;
  const auto scaled = [factor](weft::TaskScope&, const Request& request) { return factor * request.width(); };
  EXPECT_EQ(pool.submit(scaled, request_of("x", 0, 5)).get(), 15);
}

TEST_F(Messages, travel_beside_other_arguments_and_inside_other_values) {
  EXPECT_EQ(pool.submit<handle_beside>(request_of("a", 0, 4), 5, "!").get()->text()->str(), "a!");
  EXPECT_EQ(pool.submit(Develop{"film ", request_of("one"), std::nullopt}).get()->text()->str(), "film one-");
  EXPECT_EQ(pool.submit(Develop{"film ", request_of("one"), request_of("two")}).get()->text()->str(),
            "film onetwo");
}

TEST_F(Messages, are_found_by_name_and_by_their_tables) {
  using Right = weft::Message<Reply>(weft::Message<Request>);
  using Wrong = weft::Message<Reply>(weft::Message<Reply>);
  EXPECT_EQ(weft::detail::signature<Right>(), "album::Request->album::Reply");
  EXPECT_EQ(pool.submit(weft::named<Right>("handle_named"), request_of("by name")).get()->text()->str(),
            "seen by name");
  EXPECT_THROW(pool.submit(weft::named<Wrong>("handle_named"), reply_with("", 0)).get(), weft::UnknownTask);
}

TEST_F(Messages, of_every_size_arrive) {
  for (const std::size_t size :
       std::initializer_list<std::size_t>{0, 1, 500, 1023, 1024, 4096, 100'000, 1 << 20, 3 << 20, 40 << 20}) {
    const auto request = request_of("size", size);
    const auto expected = sum_of(request->pixels());
    EXPECT_EQ(pool.submit<handle>(request).get()->sum(), expected) << size;
    const auto reply = pool.submit<big_reply>(size).get();
    ASSERT_EQ(reply->pixels()->size(), size);
    EXPECT_EQ(sum_of(reply->pixels()), size * 7);
  }
}

TEST_F(Messages, come_back_at_the_address_they_left_from) {
  const auto request = request_of("boomerang", std::size_t{2} << 20);
  const auto back = pool.submit<hand_back>(request).get();
  EXPECT_EQ(&*back, &*request) << "a message was copied";
  EXPECT_EQ(back.bytes().data(), request.bytes().data());
}

TEST_F(Messages, are_handed_to_the_task_in_the_memory_they_were_built_in) {
  const auto request = request_of("in place", 4096);
  const std::uint64_t here = reinterpret_cast<std::uintptr_t>(&*request);
  const std::uint64_t there = pool.submit<address_of>(request).get();
  // Another process maps the same page elsewhere; within the page nothing can have moved.
  EXPECT_EQ(there % 4096, here % 4096);
  EXPECT_EQ(pool.submit(
                    [](const weft::Message<Request>& taken) {
                      return taken.bytes().data() <= reinterpret_cast<const std::byte*>(&*taken) &&
                             reinterpret_cast<const std::byte*>(&*taken) <
                                 taken.bytes().data() + taken.bytes().size();
                    },
                    request)
                .get(),
            true);
}

TEST_F(Messages, give_the_same_value_each_time_they_are_asked) {
  auto execution = pool.submit<big_reply>(std::size_t{5000});
  EXPECT_EQ(&*execution.get(), &*execution.get());
}

TEST_F(Messages, from_a_worker_are_verified_and_the_worker_goes_on) {
  try {
    pool.submit<lie>().get();
    FAIL() << "a message that is none was believed";
  } catch (const weft::EncodingError& error) {
    EXPECT_NE(std::string{error.what()}.find("album::Reply"), std::string::npos) << error.what();
  }
  EXPECT_EQ(pool.submit<handle>(request_of("after")).get()->text()->str(), "seen after");
}

TEST_F(Messages, that_were_moved_away_are_not_sent) {
  auto request = request_of("once");
  const auto kept = std::move(request);
  EXPECT_THROW(static_cast<void>(pool.submit<handle>(request)),
               weft::EncodingError);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(kept->title()->str(), "once");
}

TEST(Message, can_be_copied_out_of_reach_of_its_maker) {
  const auto request = request_of("mine", 100);
  const auto copy = request.copied();
  EXPECT_NE(copy.bytes().data(), request.bytes().data());
  EXPECT_EQ(copy->title()->str(), "mine");
  EXPECT_EQ(sum_of(copy->pixels()), sum_of(request->pixels()));
}

TEST(Message, is_read_where_it_lies_or_copied_where_that_is_not_aligned) {
  const auto request = request_of("shifted", 10);
  const weft::Message<Request> same{request.buffer()};
  EXPECT_EQ(&*same, &*request);
  weft::Buffer shifted{request.bytes().size() + 1};
  std::memcpy(shifted.writable().data() + 1, request.bytes().data(), request.bytes().size());
  const weft::Message<Request> copied{shifted.slice(1, request.bytes().size())};
  EXPECT_EQ(copied->title()->str(), "shifted");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copied.bytes().data()) % 64, 0U);
}

TEST(Message, refuses_every_truncation_and_survives_every_damaged_byte) {
  weft::MessageBuilder builder;
  const auto face = album::CreateFace(builder, builder.CreateString("Ada"));
  const auto faces = builder.CreateVector(&face, 1);
  const auto samples = builder.CreateVector(std::vector<double>{1, 2, 3});
  const auto title = builder.CreateString("portrait");
  const auto inner = album::CreateRequest(builder, title, 1);
  const auto whole = builder.finish(album::CreateRequest(builder, title, 2, 0, samples, faces, inner));
  const std::size_t size = whole.bytes().size();
  for (std::size_t cut = 0; cut < size / 2; ++cut) {
    EXPECT_THROW(weft::Message<Request>{weft::Buffer::copy_of(whole.bytes().first(cut))}, weft::EncodingError)
        << cut;
  }
  std::mt19937 random{20};
  std::size_t refused = 0;
  for (std::size_t at = 0; at < size; ++at) {
    weft::Buffer damaged = weft::Buffer::copy_of(whole.bytes());
    damaged.writable()[at] ^= static_cast<std::byte>(1 + random() % 255);
    try {
      // What is believed can be read through, all of it, whatever it says.
      const weft::Message<Request> read{damaged};
      std::size_t length = read->title() != nullptr ? read->title()->size() : 0;
      if (read->faces() != nullptr) {
        for (const album::Face* each : *read->faces()) length += each->name()->str().size();
      }
      if (read->inner() != nullptr && read->inner()->title() != nullptr)
        length += read->inner()->title()->str().size();
      EXPECT_LE(length, 3 * size);
    } catch (const weft::EncodingError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0U);
}

TEST(Message, refuses_what_is_nested_too_deeply_or_lacks_a_required_field) {
  weft::MessageBuilder builder;
  flatbuffers::Offset<Request> request = album::CreateRequest(builder);
  for (int depth = 1; depth < 100; ++depth)
    request = album::CreateRequest(builder, 0, depth, 0, 0, 0, request);
  const auto deep = builder.finish(request);
  EXPECT_THROW(weft::Message<Request>{deep.buffer()}, weft::EncodingError);

  const auto start = builder.StartTable();
  const auto nameless = builder.finish(flatbuffers::Offset<album::Face>{builder.EndTable(start)});
  EXPECT_THROW(weft::Message<album::Face>{nameless.buffer()}, weft::EncodingError);
}

TEST(Message, refuses_few_bytes_that_would_be_read_for_ever) {
  // Each table holds the one before it 20 times: a kilobyte that stands for 20^12 tables.
  weft::MessageBuilder builder;
  flatbuffers::Offset<Request> request = album::CreateRequest(builder, 0, 1);
  const auto multiply = [&](std::size_t times) {
    const std::vector<flatbuffers::Offset<Request>> same(times, request);
    const auto parts = builder.CreateVector(same);
    request = album::CreateRequest(builder, 0, 1, 0, 0, 0, 0, parts);
  };
  for (int level = 0; level < 12; ++level) multiply(20);
  const auto bush = builder.finish(request);
  EXPECT_LT(bush.bytes().size(), 2048U);
  EXPECT_THROW(weft::Message<Request>{bush.buffer()}, weft::EncodingError);

  request = album::CreateRequest(builder, builder.CreateString("leaf"));
  multiply(2000);
  const auto twig = builder.finish(request);
  EXPECT_EQ(
      weft::Message<Request> { twig.buffer() } -> parts()->size(), 2000U)
      << "some sharing is no harm";
}

TEST(MessageBuilder, is_used_again_and_again) {
  weft::MessageBuilder builder{64};
  std::vector<weft::Message<Request>> made;
  for (int i = 0; i < 50; ++i) {
    const auto title = builder.CreateString(std::string(static_cast<std::size_t>(i) * 100, 'x'));
    made.push_back(builder.finish(album::CreateRequest(builder, title, i), "ALBM"));
  }
  for (int i = 0; i < 50; ++i) {
    const weft::Message<Request>& each = made[static_cast<std::size_t>(i)];
    EXPECT_EQ(each->width(), i);
    EXPECT_EQ(each->title()->size(), static_cast<std::size_t>(i) * 100);
    EXPECT_TRUE(flatbuffers::BufferHasIdentifier(each.bytes().data(), "ALBM"));
    EXPECT_NO_THROW(weft::Message<Request>{each.buffer()});
  }
}

TEST(MessageBuilder, gives_its_memory_back_unless_it_was_finished) {
  for (int i = 0; i < 2000; ++i) {
    weft::MessageBuilder builder{std::size_t{1} << 20};
    static_cast<void>(builder.CreateString("never sent"));
  }
}

}  // namespace
