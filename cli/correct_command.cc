// `racewatch correct`: what a reader says the labels of one article should be, kept by a running store as a training record.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/store_client.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CorrectFlags {
  std::string server = kDefaultStoreServer;
  std::string article, lean, reader, note;
  std::vector<std::string> themes, stance;
  bool irrelevant = false;
};

base::Result<Json> LabelsOf(const CorrectFlags& flags) {
  Json labels{{"relevant", !flags.irrelevant}, {"themes", flags.themes}, {"stance", Json::object()}, {"lean", flags.lean}};
  for (const std::string& one : flags.stance) {
    const size_t equals = one.find('=');
    if (equals == std::string::npos) return base::InvalidArgument("--stance: '" + one + "' is not TARGET=POSITION");
    const std::string target = one.substr(0, equals);
    if (labels["stance"].contains(target)) return base::InvalidArgument("--stance: " + target + " is given twice");
    labels["stance"][target] = one.substr(equals + 1);
  }
  return labels;
}

}  // namespace

int RunCorrect(int argc, char** argv) {
  CLI::App app("Keeps what a reader says the labels of one article are: all of them, not only the wrong one. Counts do not change.\n"
               "usage: racewatch correct ARTICLE --lean L [--themes A,B] [--stance TARGET=POSITION]... --reader NAME\n"
               "       racewatch correct ARTICLE --irrelevant --reader NAME",
               "racewatch correct");
  CorrectFlags flags;
  app.add_option("article", flags.article, "Address or id of the article")->required();
  auto* themes = app.add_option("--themes", flags.themes, "Its themes, comma-separated")->delimiter(',');
  auto* stance = app.add_option("--stance", flags.stance, "TARGET=POSITION (favor, against or neutral), comma-separated or repeated")->delimiter(',');
  auto* lean = app.add_option("--lean", flags.lean, "us, china or neutral");
  app.add_flag("--irrelevant", flags.irrelevant, "It is not about the race, so it has no other label")->excludes(themes)->excludes(stance)->excludes(lean);
  app.add_option("--reader", flags.reader, "Who read it")->required();
  app.add_option("--note", flags.note, "Why, in a few words");
  AddServerFlag(app, &flags.server);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto labels = LabelsOf(flags);
  if (!labels.ok()) return Fail(kExitUsage, "correct: " + labels.status().message());
  const Json request{{"article", flags.article}, {"labels", *labels}, {"reader", flags.reader}, {"note", flags.note}};
  const auto body = TellStore(flags.server, "corrections", request.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!body.ok())
    return Fail(body.status().code() == base::Code::kNotFound ? kExitBadData : ExitCodeFor(body.status()), "correct: " + body.status().message());
  const Json answer = Json::parse(*body, nullptr, false);
  if (!answer.is_object() || !answer.contains("correction")) return Fail(kExitUnavailable, "correct: server " + flags.server + ": no correction in the answer");
  const Json& kept = answer["correction"];
  std::puts(Json{{"id", kept["id"]}, {"article_id", kept["article_id"]}, {"title", kept["title"]}, {"labels", kept["labels"]}, {"reader", kept["reader"]}, {"at", kept["at"]}}
                .dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  return kExitOk;
}

}  // namespace racewatch::cli
