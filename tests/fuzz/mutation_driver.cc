// Runs a fuzz target without libFuzzer: the seeds of a corpus folder, changed at random, for a while. Blind, but with the
// compiler and the settings of every other test; the fuzz preset runs the same targets guided by coverage.
// usage: NAME [-max_total_time=SECONDS] [-seed=N] [CORPUS...]     A finding crashes; the input is written to crash-NAME first.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

constexpr size_t kInputBytesMax = 64u << 10;
constexpr std::string_view kPieces[] = {"<", ">", "</", "&", "&#", "]]>", "<![CDATA[", "<!--", "\"", "'", "\n", "\r\n", "\t", ",", "{", "}", "[", "]", ":", "\\u", "=",
                                        "%", "\xFF", "\xE4\xB8", "\xEF\xBB\xBF", "99999999999999999999", "-1", "\0", "PK\x03\x04", "\x1F\x8B"};

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string Next(const std::vector<std::string>& seeds) {
    std::string input = seeds[Below(seeds.size())];
    for (size_t n = 1 + Below(8); n > 0; --n) Change(seeds, &input);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
  }

 private:
  size_t Below(size_t n) { return n == 0 ? 0 : random_() % n; }

  void Change(const std::vector<std::string>& seeds, std::string* input) {
    const size_t at = Below(input->size() + 1);
    const size_t length = Below(std::min<size_t>(64, input->size() - std::min(at, input->size())) + 1);
    switch (Below(7)) {
      case 0: input->insert(at, kPieces[Below(std::size(kPieces))]); break;
      case 1: input->erase(at, length); break;
      case 2: input->insert(at, input->substr(Below(input->size() + 1), 64)); break;
      case 3: if (at < input->size()) (*input)[at] = static_cast<char>(random_()); break;
      case 4: input->resize(at); break;
      case 5: input->insert(at, std::string(Below(300), at < input->size() ? (*input)[at] : 'a')); break;
      default: {
        const std::string& other = seeds[Below(seeds.size())];
        input->replace(at, length, other.substr(Below(other.size() + 1), 256));
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  long seconds = 10;
  uint64_t seed = std::random_device{}();
  std::vector<std::string> seeds = {"", "a"};
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("-max_total_time=")) seconds = std::atol(argv[i] + 16);
    else if (argument.starts_with("-seed=")) seed = std::strtoull(argv[i] + 6, nullptr, 10);
    else if (argument.starts_with("-")) continue;  // libFuzzer's own
    else
      for (const auto& entry : fs::recursive_directory_iterator(argument)) {
        if (!entry.is_regular_file()) continue;
        std::ifstream in(entry.path(), std::ios::binary);
        seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
      }
  }
  const std::string crash = "crash-" + fs::path(argv[0]).filename().string();
  std::fprintf(stderr, "seed %llu, %zu inputs to begin with\n", static_cast<unsigned long long>(seed), seeds.size());
  for (const std::string& input : seeds) LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  Mutator mutator(seed);
  uint64_t runs = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    const std::string input = mutator.Next(seeds);
    std::ofstream(crash, std::ios::binary | std::ios::trunc) << input;
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
  fs::remove(crash);
  std::fprintf(stderr, "%llu runs without a finding\n", static_cast<unsigned long long>(runs));
  return 0;
}
