// The table of subcommands, in the order of `racewatch --help`.
#pragma once

#include <array>

#include "cli/command.h"

namespace racewatch::cli {

// Each is defined in the file of its name, X_command.cc.
int RunUp(int argc, char** argv);
int RunIngest(int argc, char** argv);
int RunTagger(int argc, char** argv);
int RunFeeds(int argc, char** argv);
int RunBackfillCommand(int argc, char** argv);
int RunTrends(int argc, char** argv);
int RunAlerts(int argc, char** argv);
int RunWhere(int argc, char** argv);
int RunSample(int argc, char** argv);
int RunCorrect(int argc, char** argv);
int RunCorrections(int argc, char** argv);
int RunTakedown(int argc, char** argv);
int RunDigest(int argc, char** argv);
int RunParse(int argc, char** argv);
int RunExtract(int argc, char** argv);
int RunClassifier(int argc, char** argv);
int RunStore(int argc, char** argv);
int RunStoreBackup(int argc, char** argv);   // store_backup.cc
int RunStoreRestore(int argc, char** argv);  // likewise
int RunTag(int argc, char** argv);
int RunEval(int argc, char** argv);
int RunTrain(int argc, char** argv);
int RunCount(int argc, char** argv);
int RunExplain(int argc, char** argv);
int RunModel(int argc, char** argv);
int RunDedup(int argc, char** argv);
int RunRetag(int argc, char** argv);
int RunTopics(int argc, char** argv);
int RunDlq(int argc, char** argv);
int RunConfig(int argc, char** argv);

inline constexpr auto kCommands = std::to_array<Command>({
    {"up", "Run every role in one process; --demo replays the demo week", RunUp},
    {"ingest", "Fetch feeds and pages, stream articles into Kafka", RunIngest},
    {"feeds", "List, show, add, remove, probe, import and export feeds", RunFeeds},
    {"backfill", "Read archives of articles into the history", RunBackfillCommand},
    {"trends", "Show the counts of a running store", RunTrends},
    {"alerts", "List, show and follow alerts", RunAlerts},
    {"where", "Show where an article is and what happened to it", RunWhere},
    {"sample", "Draw a random sample of the articles behind a count", RunSample},
    {"correct", "Keep what a reader says the labels of an article are", RunCorrect},
    {"corrections", "List what readers corrected, export it for training", RunCorrections},
    {"takedown", "Remove the text of one article everywhere", RunTakedown},
    {"digest", "Print the digests of a running store", RunDigest},
    {"parse", "Read one feed into JSON", RunParse},
    {"extract", "Read the article of one HTML page into JSON", RunExtract},
    {"classifier", "Serve the classifier over gRPC", RunClassifier},
    {"tagger", "Stream articles through a classifier", RunTagger},
    {"store", "Count exactly, serve trends, send alerts", RunStore},
    {"tag", "Tag documents by relevance, theme, stance and lean", RunTag},
    {"eval", "Score a model on labelled texts", RunEval},
    {"train", "Train a model from labelled texts", RunTrain},
    {"count", "Count labelled texts that may not be kept, for training", RunCount},
    {"explain", "Show why a document gets its labels", RunExplain},
    {"dedup", "Group articles that tell one story", RunDedup},
    {"retag", "Tag the history again with another model and switch to it", RunRetag},
    {"topics", "Make or verify the topics on a Kafka cluster", RunTopics},
    {"dlq", "List, show and requeue dead letters", RunDlq},
    {"config", "Check configurations without starting anything", RunConfig},
    {"model", "Show or compare models, exchange the one in service", RunModel},
});

}  // namespace racewatch::cli
