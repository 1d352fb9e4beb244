#include "cli/selection_flags.h"

#include <CLI/CLI.hpp>

namespace racewatch::cli {

void AddSelectionFlags(CLI::App& app, SelectionFlags* flags) {
  AddServerFlag(app, &flags->server);
  app.add_option("--theme", flags->theme, "Theme id");
  app.add_option("--target", flags->target, "Stance target");
  app.add_option("--position", flags->position, "favor, against, neutral or unsure");
  app.add_option("--lean", flags->lean, "us, china, neutral or unsure");
  app.add_option("--language", flags->language, "en, zh, de, fr, es, ja, ru, pt, it, ko or other");
  app.add_option("--query", flags->query, "Name of a saved query");
  app.add_option("--from", flags->from, "Begin, by the time of publication: RFC 3339, a day or Unix seconds");
  app.add_option("--to", flags->to, "End, exclusive");
}

Parameters WithSelection(const SelectionFlags& flags, const Parameters& more) {
  Parameters out{{"theme", flags.theme}, {"target", flags.target}, {"position", flags.position}, {"lean", flags.lean},
                 {"language", flags.language}, {"query", flags.query}, {"from", flags.from}, {"to", flags.to}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace racewatch::cli
