# Script (cmake -P): writes OUT, a C++ file that holds FILES byte by byte as the table kPageFiles of
# store/page_files.h. DIR is the folder that the names are relative to.
set(tables "")
set(entries "")
set(index 0)
foreach(name IN LISTS FILES)
  file(READ ${DIR}/${name} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND tables "const unsigned char kFile${index}[] = {${bytes}0};\n")
  string(APPEND entries "    {\"${name}\", {reinterpret_cast<const char*>(kFile${index}), sizeof kFile${index} - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUT} "#include \"store/page_files.h\"

namespace racewatch::store {
namespace {
${tables}}  // namespace

const std::vector<PageFile>& PageFiles() {
  static const std::vector<PageFile> files = {
${entries}  };
  return files;
}

}  // namespace racewatch::store
")
