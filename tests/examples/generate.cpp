// generate FOLDER OUT: a C++ header for each schema (*.struct) below FOLDER, each in a worker process. A schema reads
//
//   struct Point          # a comment
//     x number
//     name text
//     route list of Point

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

namespace fs = std::filesystem;

namespace {

/// A schema that does not hold, and where: it arrives in the parent as what it is.
class SchemaError : public std::runtime_error {
 public:
  explicit SchemaError(const std::string& message) : std::runtime_error{message} {}
};
WEFT_REGISTER_EXCEPTION(SchemaError);

void require(bool holds, int line, const std::string& message) {
  if (!holds) throw SchemaError{"line " + std::to_string(line) + ": " + message};
}

bool is_name(const std::string& word) {
  return !word.empty() && std::isalpha(static_cast<unsigned char>(word[0])) != 0 &&
         std::all_of(word.begin(), word.end(),
                     [](unsigned char letter) { return std::isalnum(letter) != 0 || letter == '_'; });
}

/// What `words` name in C++. A struct may contain itself in a list alone.
std::string type_of(const std::vector<std::string>& words, const std::string& struct_name, int line) {
  static const std::map<std::string, std::string> kTypes{
      {"number", "double"}, {"whole", "std::int64_t"}, {"text", "std::string"}, {"truth", "bool"}};
  const bool is_list = words.size() == 3 && words[0] == "list" && words[1] == "of";
  require(is_list || words.size() == 1, line, "a field is a name and a type");
  const auto found = kTypes.find(words.back());
  const bool is_itself = is_list && words.back() == struct_name;
  require(found != kTypes.end() || is_itself, line, "no such type: " + words.back());
  const std::string type = is_itself ? struct_name : found->second;
  return is_list ? "std::vector<" + type + ">" : type;
}

/// The task: gives the number of structs.
int generate(const fs::path& schema, const fs::path& header) {
  std::ifstream in{schema};
  if (!in) throw SchemaError{"cannot be read"};
  std::ostringstream out;
  out << "#pragma once\n#include <cstdint>\n#include <string>\n#include <vector>\n";
  std::string struct_name;
  int structs = 0;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream parts{line.substr(0, line.find('#'))};
    std::vector<std::string> words;
    for (std::string word; parts >> word;) words.push_back(word);
    if (words.empty()) continue;
    if (words[0] == "struct") {
      require(words.size() == 2 && is_name(words[1]), number, "a struct has one name");
      if (structs++ != 0) out << "};\n";
      struct_name = words[1];
      out << "\nstruct " << struct_name << " {\n";
      continue;
    }
    require(structs != 0, number, "a field outside of a struct");
    require(is_name(words[0]), number, "not a name: " + words[0]);
    out << "  " << type_of({words.begin() + 1, words.end()}, struct_name, number) << " " << words[0]
        << "{};\n";
  }
  require(structs != 0, number, "no struct in it");
  out << "};\n";
  std::ofstream file{header};
  if (!(file << out.str() << std::flush)) throw std::runtime_error{"cannot write " + header.string()};
  return structs;
}

}  // namespace

int main(int argc, char** argv) try {
  weft::init(argc, argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: generate FOLDER OUT\n");
    return 2;
  }
  const fs::path out{argv[2]};
  fs::create_directories(out);
  std::vector<fs::path> schemas;
  for (const auto& entry : fs::directory_iterator{argv[1]}) {
    if (entry.path().extension() == ".struct") schemas.push_back(entry.path());
  }
  std::sort(schemas.begin(), schemas.end());

  weft::Pool pool;
  std::vector<weft::Execution<int>> executions;
  for (const fs::path& schema : schemas) {
    executions.push_back(pool.submit<generate>(schema, out / schema.filename().replace_extension(".hpp")));
  }
  int structs = 0;
  int refused = 0;
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    try {
      structs += executions[i].get();
    } catch (const SchemaError& error) {
      std::fprintf(stderr, "%s: %s\n", schemas[i].filename().c_str(), error.what());
      ++refused;
    }
  }
  pool.shutdown();
  std::printf("%d structs, %d schemas refused\n", structs, refused);
  return refused == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "generate: %s\n", error.what());
  return 1;
}
