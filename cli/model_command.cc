// racewatch model show: the model card and what identifies the file. racewatch model diff: what changes on a set
// of texts when one file replaces another. racewatch model reload, rollback, canary: the models of a running classifier.
#include <CLI/CLI.hpp>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "classify/classifier_client.h"
#include "classify/model/model.h"
#include "classify/model/model_diff.h"
#include "cli/command.h"
#include "racewatch/v1/classifier_service.grpc.pb.h"

namespace racewatch::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kCallTime{30};
constexpr std::chrono::seconds kConnectTime{2};

// One call to the classifier at `server`.
template <typename Request, typename Response>
base::Status Ask(const std::string& server, const Request& request, Response* response,
                 grpc::Status (v1::ClassifierService::Stub::*call)(grpc::ClientContext*, const Request&, Response*)) {
  const std::shared_ptr<grpc::Channel> channel = classify::MakeClassifierChannel(server);
  channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTime);  // one try that fails need not be the last
  v1::ClassifierService::Stub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTime);
  const grpc::Status status = (stub.*call)(&context, request, response);
  if (status.ok()) return {};
  const auto code = static_cast<base::Code>(status.error_code());
  const std::string where = code == base::Code::kUnavailable || code == base::Code::kDeadlineExceeded ? "classifier " + server + ": " : "";
  return {code, "model: " + where + status.error_message()};
}

// What the classifier refused is the caller's to put right.
int Failed(const base::Status& status) {
  return Fail(status.code() == base::Code::kFailedPrecondition ? kExitBadData : ExitCodeFor(status), status.message());
}

int ReloadModel(const std::string& server, const std::string& file) {
  v1::ReloadModelRequest request;
  v1::ReloadModelResponse response;
  request.set_file(file);
  if (const base::Status status = Ask(server, request, &response, &v1::ClassifierService::Stub::ReloadModel); !status.ok()) return Failed(status);
  std::puts(Json{{"model_version", response.model_version()}, {"previous_model_version", response.previous_model_version()}, {"sha256", response.sha256()}}.dump().c_str());
  return kExitOk;
}

int RollbackModel(const std::string& server) {
  v1::RollbackModelResponse response;
  if (const base::Status status = Ask(server, v1::RollbackModelRequest(), &response, &v1::ClassifierService::Stub::RollbackModel); !status.ok())
    return Failed(status);
  std::puts(Json{{"model_version", response.model_version()}, {"previous_model_version", response.previous_model_version()}}.dump().c_str());
  return kExitOk;
}

void PrintCanary(const std::string& active, const v1::CanaryStatus& canary) {
  std::printf("canary %s beside model %s, %g %% of the calls, %llu documents read by both\n", canary.model_version().c_str(), active.c_str(),
              canary.percent(), static_cast<unsigned long long>(canary.documents()));
  std::printf("%-44s %9s %12s %12s\n", "LABEL", "BOTH", "ONLY ACTIVE", "ONLY CANARY");
  for (const v1::CanaryDifference& d : canary.differences())
    std::printf("%-44s %9llu %12llu %12llu\n", d.label().c_str(), static_cast<unsigned long long>(d.both()),
                static_cast<unsigned long long>(d.only_active()), static_cast<unsigned long long>(d.only_canary()));
}

int ShowCanary(const std::string& server, const std::string& output) {
  v1::GetModelResponse response;
  if (const base::Status status = Ask(server, v1::GetModelRequest(), &response, &v1::ClassifierService::Stub::GetModel); !status.ok())
    return Failed(status);
  if (!response.has_canary()) return Fail(kExitBadData, "model: classifier " + server + " has no canary (classifier.canary_model)");
  const v1::CanaryStatus& canary = response.canary();
  if (output == "table") {
    PrintCanary(response.model_version(), canary);
    return kExitOk;
  }
  Json differences = Json::array();
  for (const v1::CanaryDifference& d : canary.differences())
    differences.push_back({{"label", d.label()}, {"both", d.both()}, {"only_active", d.only_active()}, {"only_canary", d.only_canary()}});
  std::puts(Json{{"model_version", response.model_version()}, {"canary_version", canary.model_version()}, {"percent", canary.percent()},
                 {"documents", canary.documents()}, {"differences", std::move(differences)}}.dump().c_str());
  return kExitOk;
}

int ShowModel(const std::string& path) {
  const auto model = classify::Model::Load(path);
  if (!model.ok()) return Fail(ExitCodeFor(model.status()), model.status().message());
  std::cout << (*model)->card() << "\nfile " << path << "\nsha256 " << (*model)->sha256() << "\nrows " << (*model)->features() << "\n";
  return kExitOk;
}

int DiffModels(const std::string& before, const std::string& after, const std::vector<std::string>& texts) {
  const auto old_model = classify::Model::Load(before), new_model = classify::Model::Load(after);
  if (!old_model.ok()) return Fail(ExitCodeFor(old_model.status()), old_model.status().message());
  if (!new_model.ok()) return Fail(ExitCodeFor(new_model.status()), new_model.status().message());
  std::vector<classify::LabelledDocument> documents;
  for (const std::string& path : texts)
    if (const base::Status status = classify::ReadLabelled(path, true, &documents); !status.ok())
      return Fail(ExitCodeFor(status), status.message());
  std::cout << classify::FormatModelDiff(classify::DiffModels(**old_model, **new_model, documents));
  return kExitOk;
}

}  // namespace

int RunModel(int argc, char** argv) {
  CLI::App app("Shows models, compares two, and exchanges the one that a running classifier answers with.", "racewatch model");
  std::string model_path = classify::DefaultModelPath();
  CLI::App* show = app.add_subcommand("show", "Print the model card");
  show->add_option("--model", model_path, "Model file")->capture_default_str();
  std::string before, after;
  std::vector<std::string> texts;
  CLI::App* diff = app.add_subcommand("diff", "Count the labels that change between two models");
  diff->add_option("BEFORE", before, "Model file")->required();
  diff->add_option("AFTER", after, "Model file")->required();
  diff->add_option("--texts", texts, "Labelled texts to judge, JSON lines, plain or gzip; labels are not read")->required();
  std::string server = "127.0.0.1:9470", file, output = "table";
  CLI::App* reload = app.add_subcommand("reload", "Put another model, or the same file read again, into service");
  reload->add_option("FILE", file, "Name of a file in the folder of the configured model; default: the file in service");
  CLI::App* rollback = app.add_subcommand("rollback", "Go back to the model that answered before the last change");
  CLI::App* canary = app.add_subcommand("canary", "Show how the canary's labels differ from those given");
  canary->add_option("--output", output, "table (default) or json")->check(CLI::IsMember({"table", "json"}));
  for (CLI::App* command : {reload, rollback, canary})
    command->add_option("--server", server, "gRPC address of the classifier (default 127.0.0.1:9470, that of up; `racewatch classifier` has 9472)");
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("model: ") + error.what());
  }
  if (diff->parsed()) return DiffModels(before, after, texts);
  if (reload->parsed()) return ReloadModel(server, file);
  if (rollback->parsed()) return RollbackModel(server);
  return canary->parsed() ? ShowCanary(server, output) : ShowModel(model_path);
}

}  // namespace racewatch::cli
