// ecf8-pack stats: what compressing would gain, and what the gain would buy.
#include "Commands.h"
#include "Progress.h"
#include "Report.h"
#include "ecf8/Checkpoint/Budget.h"
#include "ecf8/Checkpoint/Survey.h"

#include <cstdio>
#include <filesystem>

using namespace ecf8;
using namespace ecf8::pack;
using nlohmann::json;

namespace {

double bitsPerWeight(double bytes, uint64_t elements) { return elements == 0 ? 0 : 8 * bytes / double(elements); }

std::string printBits(double bytes, uint64_t elements) {
  return elements == 0 ? "-" : printNumber(bitsPerWeight(bytes, elements), 3);
}

json tensorToJson(const SurveyedTensor &tensor) {
  json entry = {{"elements", tensor.elementCount},
                {"sampled", tensor.sampledElements},
                {"exponent_entropy", tensor.exponentEntropyBits},
                {"bound_bytes", tensor.boundBytes},
                {"byte_entropy_bytes", tensor.byteEntropyBytes}};
  for (size_t i = 0; i < std::size(surveyedPresets); ++i)
    entry[std::string(getName(surveyedPresets[i])) + "_bytes"] = tensor.presetBytes[i];
  return entry;
}

/// The config that describes the model whose weights these are.
Result<json> readConfig(const std::string &input) {
  namespace fs = std::filesystem;
  fs::path folder = fs::is_directory(input) ? fs::path(input) : fs::path(input).parent_path();
  for (const char *name : {"transformer/config.json", "config.json"}) {
    Result<MappedFile> file = MappedFile::open((folder / name).string());
    if (!file)
      continue;
    Result<json> parsed = parseJson({reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size()});
    if (!parsed)
      return parsed.status().in((folder / name).string());
    return parsed;
  }
  return Status(StatusCode::NotFound,
                "--budget: expected a config.json in " + (folder.empty() ? "." : folder.string()) + ", found none");
}

struct BudgetLine {
  std::string name;
  uint64_t weightBytes;
  Capacity capacity;
};

std::string printCapacity(const ModelNeeds &needs, const Capacity &capacity, uint64_t context) {
  if (!capacity.fitsWeights)
    return "does not fit";
  if (needs.kind == ModelNeeds::Kind::Image)
    return "images up to " + std::to_string(capacity.imageSide) + " x " + std::to_string(capacity.imageSide);
  std::string text = std::to_string(capacity.tokens) + " tokens in the cache";
  if (context != 0)
    text += ", " + std::to_string(capacity.requests) + " requests of " + std::to_string(context);
  return text;
}

json budgetToJson(const std::vector<BudgetLine> &lines, const StatsOptions &options) {
  json result = {{"budget_bytes", options.budgetBytes}, {"context", options.contextTokens}, {"lines", json::array()}};
  for (const BudgetLine &line : lines)
    result["lines"].push_back({{"weights", line.name},
                               {"weight_bytes", line.weightBytes},
                               {"fits", line.capacity.fitsWeights},
                               {"tokens", line.capacity.tokens},
                               {"requests", line.capacity.requests},
                               {"image_side", line.capacity.imageSide}});
  return result;
}

std::vector<std::vector<std::string>> makeTable(const Survey &survey, bool showAll) {
  std::vector<std::vector<std::string>> rows = {{"tensor", "dtype", "shape", "weights", "H(exponent)", "bound"}};
  for (Preset preset : surveyedPresets)
    rows.front().emplace_back(getName(preset));
  auto addPresets = [&](const SurveyedTensor &tensor) {
    for (double bytes : tensor.presetBytes)
      rows.back().push_back(printBits(bytes, tensor.elementCount));
  };
  constexpr size_t shown = 40;
  for (size_t i = 0; i < survey.tensors.size() && (showAll || i < shown); ++i) {
    const SurveyedTensor &tensor = survey.tensors[i];
    rows.push_back({tensor.name, std::string(safetensorsDTypeName(tensor.dtype)), printShape(tensor.shape),
                    std::to_string(tensor.elementCount), printNumber(tensor.exponentEntropyBits, 3),
                    printBits(tensor.boundBytes, tensor.elementCount)});
    addPresets(tensor);
  }
  if (rows.size() - 1 < survey.tensors.size())
    rows.push_back({"... and " + std::to_string(survey.tensors.size() - shown) + " more (--all shows them)"});
  const SurveyedTensor &sum = survey.sum;
  rows.push_back({"all", "", "", std::to_string(sum.elementCount), printNumber(sum.exponentEntropyBits, 3),
                  printBits(sum.boundBytes, sum.elementCount)});
  addPresets(sum);
  return rows;
}

/// What each encoding would save, and how far that is from what is possible.
std::string printSavings(const Survey &survey) {
  const SurveyedTensor &sum = survey.sum;
  double all = double(sum.elementCount);
  std::vector<std::vector<std::string>> rows = {
      {"", "FP8 weights", "saved", "of FP8", "of all", "above bound, bits/weight"}};
  auto addRow = [&](const std::string &name, double bytes) {
    rows.push_back(
        {name, formatBytes(bytes), formatBytes(std::max(all - bytes, 0.0)),
         printNumber(all == 0 ? 0 : 100 * (all - bytes) / all, 1) + " %",
         printNumber(survey.weightBytes == 0 ? 0 : 100 * (all - bytes) / double(survey.weightBytes), 1) + " %",
         printNumber(bitsPerWeight(bytes - sum.boundBytes, sum.elementCount), 3)});
  };
  addRow("as they are", all);
  for (size_t i = 0; i < std::size(surveyedPresets); ++i)
    addRow(std::string(getName(surveyedPresets[i])), sum.presetBytes[i]);
  addRow("bound", sum.boundBytes);
  addRow("byte entropy", sum.byteEntropyBytes);
  return printTable(rows);
}

} // namespace

Result<ExitCode> pack::runStats(const Options &options) {
  const StatsOptions &stats = options.stats;
  JobProgress progress;
  Result<Survey> survey = [&] {
    ProgressBar bar(progress, !options.json && !options.quiet);
    return surveyCheckpoint({options.job.input, stats.sampleBytes, options.job.jobs}, progress);
  }();
  if (!survey)
    return survey.status();

  std::vector<BudgetLine> lines;
  ModelNeeds needs;
  if (stats.budgetBytes != 0 && survey->nothing.empty()) {
    Result<json> config = readConfig(options.job.input);
    if (!config)
      return config.status();
    Result<ModelNeeds> read = readModelNeeds(*config, stats.cacheBits);
    if (!read)
      return read.status();
    needs = *read;
    auto addLine = [&](const std::string &name, double bytes) {
      lines.push_back(
          {name, uint64_t(bytes), computeCapacity(needs, stats.budgetBytes, uint64_t(bytes), stats.contextTokens)});
    };
    double others = double(survey->weightBytes - survey->sum.elementCount);
    addLine("as they are", double(survey->weightBytes));
    for (size_t i = 0; i < std::size(surveyedPresets); ++i)
      addLine(std::string(getName(surveyedPresets[i])), others + survey->sum.presetBytes[i]);
  }

  if (options.json) {
    json tensors = json::array();
    for (const SurveyedTensor &tensor : survey->tensors) {
      json entry = tensorToJson(tensor);
      entry["file"] = tensor.file;
      entry["name"] = tensor.name;
      entry["dtype"] = safetensorsDTypeName(tensor.dtype);
      entry["shape"] = tensor.shape;
      tensors.push_back(std::move(entry));
    }
    json report = {{"command", "stats"},
                   {"input", options.job.input},
                   {"fp8_tensors", survey->fp8Tensors},
                   {"weight_bytes", survey->weightBytes},
                   {"read_bytes", survey->readBytes},
                   {"seconds", survey->seconds},
                   {"sum", tensorToJson(survey->sum)},
                   {"tensors", std::move(tensors)}};
    if (!lines.empty())
      report["budget"] = budgetToJson(lines, stats);
    if (!survey->nothing.empty())
      report["nothing"] = survey->nothing;
    if (Status status = printJsonLine(report); !status.isOk())
      return status;
    return Success;
  }
  if (!survey->nothing.empty()) {
    std::printf("%s\n", survey->nothing.c_str());
    return Success;
  }
  std::string text = options.job.input + ": " + std::to_string(survey->fp8Tensors) + " FP8 tensors, " +
                     formatBytes(double(survey->sum.elementCount)) + " of " + formatBytes(double(survey->weightBytes)) +
                     " of weights";
  if (survey->isCompressed)
    text += " (compressed already; the figures are those of the original)";
  text += "\n\nBits per weight, estimated:\n" + printTable(makeTable(*survey, stats.showAll)) + "\n" +
          printSavings(*survey);
  if (!lines.empty()) {
    std::vector<std::vector<std::string>> rows = {{"", "weights", "what fits"}};
    for (const BudgetLine &line : lines)
      rows.push_back(
          {line.name, formatBytes(double(line.weightBytes)), printCapacity(needs, line.capacity, stats.contextTokens)});
    text += "\n" + needs.architecture + " in " + formatBytes(double(stats.budgetBytes)) + ":\n" + printTable(rows);
  }
  text += "\nread " + formatBytes(double(survey->readBytes)) + " in " + printNumber(survey->seconds, 1) + " s" +
          (survey->readBytes < survey->sum.elementCount ? " (a sample; --sample=all reads everything)" : "") + "\n";
  std::fputs(text.c_str(), stdout);
  return Success;
}
