// fetch URL...: gets pages with a blocking client, each in a worker process, and tells of each as it comes. One that
// fails, or that crashes its worker, costs that one alone.

#include <curl/curl.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

namespace {

struct Page {
  long status = 0;
  std::string type;
  weft::Buffer body;
};

/// Runs in each worker before its first task.
void start_curl() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error{"libcurl does not start"};
}

size_t append(char* data, size_t, size_t bytes, void* to) {
  static_cast<std::string*>(to)->append(data, bytes);
  return bytes;
}

Page fetch(const std::string& url) {
  // Kept from task to task, and with it the connections that are still open.
  static const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> kept{curl_easy_init(), &curl_easy_cleanup};
  CURL* const curl = kept.get();
  std::string body;
  std::string why(CURL_ERROR_SIZE, '\0');
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  if (curl_easy_perform(curl) != CURLE_OK) throw std::runtime_error{why.c_str()};
  Page page;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &page.status);
  if (page.status >= 400) throw std::runtime_error{"the server answered " + std::to_string(page.status)};
  const char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  page.type = type != nullptr ? type : "";
  page.body = weft::Buffer::copy_of(body);  // goes to the parent without another copy
  return page;
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  const std::vector<std::string> urls(argv + 1, argv + argc);
  weft::Pool pool{{.limit = 8, .worker = {.initializer = weft::initializer<start_curl>}}};

  std::vector<weft::Execution<Page>> pages;
  for (const std::string& url : urls) pages.push_back(pool.submit<fetch>(url));

  int failed = 0;
  for (auto [index, execution] : weft::as_completed(pages)) {
    try {
      const Page page = execution.get();
      std::printf("%s: %zu bytes of %s\n", urls[index].c_str(), page.body.size(), page.type.c_str());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", urls[index].c_str(), error.what());
      ++failed;
    }
  }
  pool.shutdown();
  return failed == 0 ? 0 : 1;
}
