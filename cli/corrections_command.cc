// `racewatch corrections`: what readers corrected, as a list, or as training records for `racewatch train --own`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/correction_export.h"
#include "cli/process.h"
#include "cli/store_client.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

base::Result<std::vector<Json>> ReadAll(const std::string& server, const std::string& article) {
  std::vector<Json> all;
  std::string token;
  do {
    RW_ASSIGN_OR_RETURN(Json answer, AskStoreFor("corrections", server, "corrections", {{"article_id", article}, {"page_size", "500"}, {"page_token", token}}));
    for (Json& correction : answer["corrections"]) all.push_back(std::move(correction));
    token = answer.value("next_page_token", "");
  } while (!token.empty());
  return all;
}

std::string Line(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

int Export(const std::vector<Json>& corrections, const std::string& path) {
  const ExportedCorrections exported = ExportCorrections(corrections);
  std::ofstream file;
  if (!path.empty() && path != "-") {
    file.open(path, std::ios::binary | std::ios::trunc);
    if (!file) return Fail(kExitIo, "corrections export: write " + path + ": cannot be opened");
  }
  std::ostream& out = file.is_open() ? file : std::cout;
  for (const Json& record : exported.records) out << Line(record);
  out.flush();
  if (!out) return Fail(kExitIo, "corrections export: write " + (path.empty() ? "standard output" : path) + ": failed");
  std::fprintf(stderr, "corrections export: %zu corrections, %zu records", corrections.size(), exported.records.size());
  if (exported.without_text > 0) std::fprintf(stderr, ", %zu articles left out whose text has been removed", exported.without_text);
  std::fputc('\n', stderr);
  return kExitOk;
}

}  // namespace

int RunCorrections(int argc, char** argv) {
  CLI::App app("Lists what readers corrected, or exports it for training.\nusage: racewatch corrections list [--article ID]\n"
               "       racewatch corrections export [FILE]",
               "racewatch corrections");
  std::string server = kDefaultStoreServer, article, file;
  app.require_subcommand(1);
  app.fallthrough();
  AddServerFlag(app, &server);
  auto* list = app.add_subcommand("list", "One JSON object per correction, oldest first");
  list->add_option("--article", article, "Id of an article; default: all");
  auto* exporting = app.add_subcommand("export", "One training record per article, as racewatch train --own reads them");
  exporting->add_option("file", file, "File to write; default: standard output");
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto corrections = ReadAll(server, article);
  if (!corrections.ok()) return Fail(ExitCodeFor(corrections.status()), "corrections: " + corrections.status().message());
  if (exporting->parsed()) return Export(*corrections, file);
  for (const Json& correction : *corrections) std::cout << Line(correction);
  return kExitOk;
}

}  // namespace racewatch::cli
