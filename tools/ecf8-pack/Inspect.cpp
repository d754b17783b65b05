// ecf8-pack inspect and diff.
#include "Commands.h"
#include "Progress.h"
#include "Report.h"
#include "ecf8/Checkpoint/Diff.h"
#include "ecf8/Support/Hash.h"
#include "ecf8/Support/Json.h"

#include <cstdio>

using namespace ecf8;
using namespace ecf8::pack;
using nlohmann::json;

Status pack::printJsonLine(const json &value) {
  // Names of files may be any bytes, and JSON is UTF-8: what is none shows as U+FFFD.
  std::printf("%s\n", value.dump(2, ' ', false, json::error_handler_t::replace).c_str());
  return Status::ok();
}

namespace {

/// What a file stores a tensor as: "huffman", "planes", "quads" and so on, "raw", or "plain".
Result<std::string> nameStorage(const CheckpointFile &file, const CheckpointTensor &tensor) {
  Result<TensorSource> source = file.tensor(tensor);
  if (!source)
    return source.status();
  return source->decoder() ? std::string(getCodecName(source->decoder()->header())) : "plain";
}

json fileToJson(const std::string &name, const CheckpointFile &file) {
  json entry = {{"name", name},
                {"compressed", file.isCompressed()},
                {"stored_bytes", file.fileBytes()},
                {"original_bytes", file.originalBytes()},
                {"metadata", file.originalHeader().metadata},
                {"tensors", json::array()}};
  if (file.isCompressed()) {
    entry["version"] = file.info().version;
    entry["encoding"] = file.info().encoding;
    entry["original_xxh3"] = hashToHex(file.info().originalHash);
  }
  return entry;
}

} // namespace

Result<ExitCode> pack::runInspect(const Options &options) {
  Result<Listing> listing = listCheckpoint(options.job.input);
  if (!listing)
    return listing.status();
  Result<OpenedFiles> files = openFiles(*listing);
  if (!files)
    return files.status();
  json report = {{"command", "inspect"}, {"input", options.job.input}, {"files", json::array()}};
  if (files->empty() && !options.json) {
    std::string foreign = explainForeign(*listing);
    std::printf("%s\n", foreign.empty() ? (options.job.input + " holds no safetensors file").c_str() : foreign.c_str());
  }
  for (const auto &[name, file] : *files) {
    json entry = fileToJson(name, file);
    std::vector<std::vector<std::string>> rows = {{"tensor", "dtype", "shape", "stored as", "bytes", "bits/weight"}};
    for (const CheckpointTensor &tensor : file.tensors()) {
      Result<std::string> storage = nameStorage(file, tensor);
      if (!storage)
        return storage.status();
      std::string dtype(safetensorsDTypeName(tensor.dtype));
      bool hasRatio = tensor.isCoded && tensor.sizeBytes != 0;
      rows.push_back({tensor.name, dtype, printShape(tensor.shape), *storage, std::to_string(tensor.storedBytes),
                      hasRatio ? printNumber(8 * double(tensor.storedBytes) / double(tensor.sizeBytes), 3) : ""});
      entry["tensors"].push_back({{"name", tensor.name},
                                  {"dtype", dtype},
                                  {"shape", tensor.shape},
                                  {"stored_as", *storage},
                                  {"bytes", tensor.sizeBytes},
                                  {"stored_bytes", tensor.storedBytes}});
    }
    report["files"].push_back(std::move(entry));
    if (options.json)
      continue;
    std::string kind = file.isCompressed() ? "compressed (version " + file.info().version + ", " +
                                                 file.info().encoding + "), " + formatBytes(double(file.fileBytes())) +
                                                 " of " + formatBytes(double(file.originalBytes()))
                                           : "plain, " + formatBytes(double(file.fileBytes()));
    std::printf("%s: %s\n%s\n", name.c_str(), kind.c_str(), printTable(rows).c_str());
  }
  if (options.json)
    if (Status status = printJsonLine(report); !status.isOk())
      return status;
  return Success;
}

Result<ExitCode> pack::runDiff(const Options &options) {
  JobProgress progress;
  Result<DiffReport> report = [&] {
    ProgressBar bar(progress, !options.json && !options.quiet);
    return diffCheckpoints(options.job.input, options.job.output, options.job.jobs, progress);
  }();
  if (!report)
    return report.status();
  if (options.json) {
    json differences = json::array();
    for (const Difference &difference : report->differences)
      differences.push_back({{"file", difference.file}, {"tensor", difference.tensor}, {"what", difference.what}});
    if (Status status = printJsonLine({{"command", "diff"},
                                       {"a", options.job.input},
                                       {"b", options.job.output},
                                       {"compared_files", report->comparedFiles},
                                       {"compared_tensors", report->comparedTensors},
                                       {"differences", std::move(differences)}});
        !status.isOk())
      return status;
  } else if (!options.quiet) {
    for (const Difference &difference : report->differences)
      std::printf("%s%s: %s\n", difference.file.c_str(),
                  difference.tensor.empty() ? "" : (": tensor '" + difference.tensor + "'").c_str(),
                  difference.what.c_str());
    if (report->differences.empty())
      std::printf("no difference in %llu files with %llu tensors\n",
                  static_cast<unsigned long long>(report->comparedFiles),
                  static_cast<unsigned long long>(report->comparedTensors));
  }
  return report->differences.empty() ? Success : Differs;
}
