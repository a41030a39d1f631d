// model FILE: judges lines of text from stdin in worker processes, each of which loads the model once, before its first
// task, and keeps it and what it has worked out already. FILE has lines of a word and its weight.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

namespace {

/// What a worker keeps in its store.
struct Model {
  std::unordered_map<std::string, int> weights;
  std::unordered_map<std::string, int> known_texts;
};
int models_loaded = 0;

/// The initializer. What it needs it finds in the worker's environment; where it throws, no worker starts, and the
/// tasks fail with its words.
void load_model(weft::TaskScope& scope) {
  const std::string file = std::getenv("MODEL");
  std::ifstream in{file};
  if (!in) throw std::runtime_error{"no model: cannot read " + file};
  Model model;
  std::string word;
  for (int weight = 0; in >> word >> weight;) model.weights[word] = weight;
  if (!in.eof()) throw std::runtime_error{"no model: " + file + " has a line without a weight after " + word};
  scope.store().set("model", std::move(model));
  ++models_loaded;
}

struct Judgement {
  int score = 0;
  std::int64_t worker = 0;
  int models_loaded = 0;
};

Judgement judge(weft::TaskScope& scope, const std::string& text) {
  const auto model = scope.store().get<Model>("model");
  const auto [known, is_new] = model->known_texts.try_emplace(text, 0);
  if (is_new) {
    std::istringstream words{text};
    for (std::string word; words >> word;) {
      const auto found = model->weights.find(word);
      if (found != model->weights.end()) known->second += found->second;
    }
  }
  return {known->second, ::getpid(), models_loaded};
}

}  // namespace

int main(int argc, char** argv) try {
  weft::init(argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: model FILE\n");
    return 2;
  }
  std::vector<std::string> environment{"MODEL=" + std::string{argv[1]}};
  weft::Pool pool{
      {.limit = 2, .worker = {.environment = environment, .initializer = weft::initializer<load_model>}}};

  std::vector<weft::Execution<Judgement>> executions;
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line); texts.push_back(line)) {
    executions.push_back(pool.submit<judge>(line));
  }
  const std::vector<Judgement> judgements = weft::all(executions);

  std::set<std::int64_t> workers;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::printf("%+d %s\n", judgements[i].score, texts[i].c_str());
    workers.insert(judgements[i].worker);
    if (judgements[i].models_loaded != 1) throw std::logic_error{"a worker loaded its model again"};
  }
  pool.shutdown();
  std::printf("%zu texts, %zu workers, a model each\n", texts.size(), workers.size());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "model: %s\n", error.what());
  return 1;
}
