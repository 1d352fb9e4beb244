// Writes tiny.gguf and tiny.adapter, a language model for tests and what belongs to it, into a folder.
// usage: tiny_model_files FOLDER
#include <cstdio>
#include <fstream>
#include <string>

#include "base/taxonomy.h"
#include "classify/second_tier/gguf.h"
#include "tests/second_tier/tiny_model.h"

int main(int argc, char** argv) {
  using namespace racewatch::classify;
  if (argc != 2) return 64;
  const std::string folder = argv[1], model = folder + "/tiny.gguf";
  std::ofstream(model, std::ios::binary) << TinyModel().Bytes();
  const auto file = GgufFile::Open(model);
  if (!file.ok()) return std::fprintf(stderr, "%s\n", file.status().message().c_str()), 1;
  TinyAdapter adapter;
  adapter.base_sha256 = (*file)->Sha256();
  adapter.beginning_tokens = 128;
  adapter.questions.clear();
  for (const std::string_view target : racewatch::base::kTargets) adapter.questions.emplace_back("stance:" + std::string(target), "Is it so?");
  adapter.questions.emplace_back("lean", "Who?");
  std::ofstream(folder + "/tiny.adapter", std::ios::binary) << adapter.Bytes();
  return 0;
}
