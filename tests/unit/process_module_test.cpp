// Code ids: what they name, and what they refuse to name.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "process/module.hpp"

namespace weft::process {

namespace {

int some_function(int x) { return x + 1; }
constexpr int kSomeConstant[4] = {1, 2, 3, 4};
int some_variable[4096];

const void* address_of_function() { return reinterpret_cast<const void*>(&some_function); }

/// A function of the C library, which is another module.
const void* library_function() { return ::dlsym(RTLD_DEFAULT, "getpid"); }

}  // namespace

TEST(Module, knows_the_running_program) {
  const Module& module = main_module();
  EXPECT_TRUE(module.build_id) << "linked without --build-id";
  EXPECT_EQ(module.build_id.hex().size(), 2U * module.build_id.size);
  EXPECT_TRUE(module.contains(reinterpret_cast<std::uintptr_t>(address_of_function())));
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  EXPECT_EQ(module.path, std::string(path, static_cast<std::size_t>(length)));
}

TEST(Module, finds_the_module_that_an_address_belongs_to) {
  EXPECT_EQ(module_of(address_of_function()), &main_module());
  EXPECT_EQ(module_of(&kSomeConstant[1]), &main_module());
  EXPECT_EQ(module_of(&some_variable[4095]), &main_module());
  ASSERT_NE(library_function(), nullptr);
  const Module* const library = module_of(library_function());
  ASSERT_NE(library, nullptr);
  EXPECT_NE(library, &main_module());
  EXPECT_EQ(library, module_of(library_function())) << "a module has one description";
}

TEST(Module, has_none_for_stack_heap_and_null) {
  int on_stack = 0;
  const auto on_heap = std::make_unique<int>(0);
  for (const void* address : {static_cast<const void*>(&on_stack), static_cast<const void*>(on_heap.get()),
                              static_cast<const void*>(nullptr)}) {
    EXPECT_EQ(module_of(address), nullptr);
    EXPECT_EQ(code_id(address), 0U);
  }
}

TEST(CodeId, leads_back_to_functions_and_objects) {
  for (const void* address : {address_of_function(), static_cast<const void*>(&kSomeConstant[2]),
                              static_cast<const void*>(&some_variable[7]), library_function()}) {
    const std::uint64_t id = code_id(address);
    EXPECT_NE(id, 0U);
    EXPECT_EQ(code_address(id), address);
  }
}

TEST(CodeId, is_made_of_build_id_and_offset) {
  const std::uint64_t id = code_id(address_of_function());
  EXPECT_EQ(id >> 32, main_module().build_id.hash());
  EXPECT_EQ(static_cast<std::uint32_t>(id),
            reinterpret_cast<std::uintptr_t>(address_of_function()) - main_module().begin);
  EXPECT_EQ(module_by_hash(static_cast<std::uint32_t>(id >> 32)), &main_module());
}

TEST(CodeId, names_nothing_outside_of_the_modules_segments) {
  const Module& module = main_module();
  const std::uint64_t hash = std::uint64_t{module.build_id.hash()} << 32;
  EXPECT_EQ(code_address(hash | (module.end - module.begin)), nullptr);
  EXPECT_EQ(code_address(hash | UINT32_MAX), nullptr);
  EXPECT_NE(code_address(hash), nullptr) << "the first byte of the module";
  const Module::Segment& last = module.segments.back();
  EXPECT_NE(code_address(hash | (last.end - 1 - module.begin)), nullptr);
  for (std::size_t index = 1; index < module.segments.size(); ++index) {
    const std::uintptr_t hole = module.segments[index - 1].end;
    if (hole < module.segments[index].begin) {
      EXPECT_EQ(code_address(hash | (hole - module.begin)), nullptr);
    }
  }
}

TEST(CodeId, names_nothing_in_a_module_that_is_not_there) {
  EXPECT_EQ(code_address(0), nullptr);
  EXPECT_EQ(code_address(4711), nullptr);
  const std::uint64_t id = code_id(address_of_function());
  EXPECT_EQ(code_address(id ^ (std::uint64_t{1} << 40)), nullptr);
  EXPECT_EQ(module_by_hash(0), nullptr);
}

TEST(CodeId, comes_and_goes_with_a_library_that_is_loaded_and_unloaded) {
  constexpr const char* kLibrary = "libresolv.so.2";
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_NOLOAD);
  if (library != nullptr) GTEST_SKIP() << kLibrary << " is loaded already";
  library = ::dlopen(kLibrary, RTLD_NOW);
  if (library == nullptr) GTEST_SKIP() << "there is no " << kLibrary;
  const void* const function = ::dlsym(library, "ns_get16");
  ASSERT_NE(function, nullptr);
  const std::uint64_t id = code_id(function);
  EXPECT_NE(id, 0U);
  EXPECT_EQ(code_address(id), function);
  ::dlclose(library);
  if (::dlopen(kLibrary, RTLD_NOW | RTLD_NOLOAD) != nullptr) GTEST_SKIP() << "it stays loaded";
  EXPECT_EQ(code_address(id), nullptr);
  library = ::dlopen(kLibrary, RTLD_NOW);
  EXPECT_EQ(code_address(id), ::dlsym(library, "ns_get16")) << "wherever it is now";
  ::dlclose(library);
}

TEST(CodeId, can_be_asked_for_by_many_threads_while_libraries_come_and_go) {
  const void* const own = address_of_function();
  const void* const foreign = library_function();
  const std::uint64_t own_id = code_id(own);
  const std::uint64_t foreign_id = code_id(foreign);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([=] {
      for (int pass = 0; pass < 2000; ++pass) {
        ASSERT_EQ(code_id(own), own_id);
        ASSERT_EQ(code_address(foreign_id), foreign);
      }
    });
  }
  for (int pass = 0; pass < 20; ++pass) {
    if (void* const library = ::dlopen("libresolv.so.2", RTLD_NOW)) ::dlclose(library);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(BuildId, hashes_to_nothing_only_when_it_is_missing) {
  EXPECT_EQ(BuildId{}.hash(), 0U);
  EXPECT_EQ(BuildId{}.hex(), "");
  BuildId one;
  one.size = 2;
  one.bytes[0] = 0xab;
  BuildId other = one;
  other.bytes[1] = 1;
  EXPECT_NE(one.hash(), 0U);
  EXPECT_NE(one.hash(), other.hash());
  EXPECT_FALSE(one == other);
  EXPECT_EQ(one.hex(), "ab00");
}

}  // namespace weft::process
