// site FOLDER OUT: a page of HTML for each Markdown file below FOLDER, and a table of contents, out of worker processes.

#include <cmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

namespace fs = std::filesystem;

namespace {

using Node = std::unique_ptr<cmark_node, decltype(&cmark_node_free)>;

std::string escaped(const std::string& text) {
  std::string html;
  for (const char letter : text) {
    if (letter == '<') {
      html += "&lt;";
    } else if (letter == '&') {
      html += "&amp;";
    } else {
      html += letter;
    }
  }
  return html;
}

std::string html_page(const std::string& title, const std::string& body) {
  return "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>" + escaped(title) +
         "</title></head>\n<body>\n" + body + "</body>\n</html>\n";
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream out{file};
  if (!(out << text << std::flush)) throw std::runtime_error{"cannot write " + file.string()};
}

/// The words of the first heading; empty if there is none.
std::string title_of(cmark_node* document) {
  for (cmark_node* node = cmark_node_first_child(document); node != nullptr; node = cmark_node_next(node)) {
    if (cmark_node_get_type(node) != CMARK_NODE_HEADING) continue;
    std::string title;
    for (cmark_node* word = cmark_node_first_child(node); word != nullptr; word = cmark_node_next(word)) {
      if (const char* const text = cmark_node_get_literal(word)) title += text;
    }
    return title;
  }
  return {};
}

/// A task with parameters. Gives the page's title.
struct Render {
  fs::path markdown;
  fs::path html;

  std::string run() const {
    std::ifstream in{markdown, std::ios::binary};
    if (!in) throw std::runtime_error{"cannot be read"};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    const Node document{cmark_parse_document(text.data(), text.size(), CMARK_OPT_DEFAULT), &cmark_node_free};
    const std::unique_ptr<char, decltype(&std::free)> body{
        cmark_render_html(document.get(), CMARK_OPT_DEFAULT), &std::free};
    std::string title = title_of(document.get());
    if (title.empty()) title = markdown.stem().string();
    write(html, html_page(title, body.get()));
    return title;
  }
};

}  // namespace

int main(int argc, char** argv) try {
  weft::init(argc, argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: site FOLDER OUT\n");
    return 2;
  }
  const fs::path from{argv[1]};
  const fs::path to{argv[2]};
  std::vector<fs::path> names;
  for (const auto& entry : fs::recursive_directory_iterator{from}) {
    if (entry.path().extension() == ".md") names.push_back(entry.path().lexically_relative(from));
  }
  std::sort(names.begin(), names.end());

  weft::Pool pool;
  std::vector<weft::Execution<std::string>> titles;
  for (const fs::path& name : names) {
    titles.push_back(pool.submit(Render{from / name, (to / name).replace_extension(".html")}));
  }

  int failed = 0;
  std::string contents = "<ul>\n";
  const auto outcomes = weft::all_settled(titles);
  for (std::size_t i = 0; i < names.size(); ++i) {
    try {
      const std::string& title = outcomes[i].value();
      const std::string link = fs::path{names[i]}.replace_extension(".html").string();
      contents += "<li><a href=\"" + link + "\">" + escaped(title) + "</a></li>\n";
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", names[i].c_str(), error.what());
      ++failed;
    }
  }
  write(to / "index.html", html_page("Contents", contents + "</ul>\n"));
  pool.shutdown();
  return failed == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "site: %s\n", error.what());
  return 1;
}
