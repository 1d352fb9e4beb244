// The web page's files (store/page), built into the binary by cmake/embed.cmake. Constants, any thread.
#pragma once

#include <string_view>
#include <vector>

namespace racewatch::store {

struct PageFile {
  std::string_view name;
  std::string_view bytes;
};
const std::vector<PageFile>& PageFiles();

}  // namespace racewatch::store
