// daemon: a process that is started once and works on what it is sent until it is told to stop. Each line of
// stdin is a word to be counted; at the end it says what it has seen most, and how much. Should it crash, another one is
// started and told what the first one knew: it reports after each word.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <weft/weft.hpp>

namespace {

struct Word {
  std::string text;
  std::uint64_t known = 0;  ///< so often it came before, where the daemon is new
};
struct Count {
  std::string word;
  std::uint64_t count = 0;
};

/// Lives until the channel is closed.
Count daemon(weft::TaskScope& scope) {
  auto parent = scope.channel<Count, Word>();
  std::map<std::string, std::uint64_t> counts;
  std::uint64_t words = 0;
  try {
    for (;;) {
      const Word word = parent.receive();
      if (word.text == "crash!") std::abort();
      std::uint64_t& count = counts[word.text];
      count += word.known != 0 ? word.known : 1;
      scope.progress(++words);
      parent.send({word.text, count});
    }
  } catch (const weft::Closed&) {  // told to stop
  }
  Count most;
  for (const auto& [word, count] : counts) {
    if (count > most.count) most = {word, count};
  }
  return most;
}

using Daemon = weft::Context<Word, Count, Count>;

/// A new one, which knows what the last one did.
Daemon start(const std::map<std::string, std::uint64_t>& known) {
  Daemon context = weft::start_context<daemon, Word, Count>({});
  for (const auto& [word, count] : known) {
    context.channel().send({word, count});
    static_cast<void>(context.channel().receive());
  }
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  std::map<std::string, std::uint64_t> known;
  Daemon context = start(known);
  for (std::string line; std::getline(std::cin, line);) {
    try {
      context.channel().send({line, 0});
      const Count count = context.channel().receive();
      known[count.word] = count.count;
      std::printf("%s: %llu\n", count.word.c_str(), static_cast<unsigned long long>(count.count));
    } catch (const weft::Closed&) {
      try {
        context.join();
      } catch (const weft::WorkerCrashed& crash) {
        std::fprintf(stderr, "daemon: %s; another one takes over\n", crash.what());
      }
      context = start(known);
    }
  }
  context.channel().close();
  const Count most = context.join();
  std::printf("most: %s, %llu times; %llu words told\n", most.word.c_str(),
              static_cast<unsigned long long>(most.count),
              static_cast<unsigned long long>(context.execution().progress().done));
  return 0;
}
