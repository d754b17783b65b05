// What the commands print.
#include "Report.h"

#include "Progress.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <cstdio>

using namespace ecf8;
using namespace ecf8::pack;
using nlohmann::json;

std::string pack::printNumber(double number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

std::string pack::printShape(std::span<const uint64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string pack::printTable(const std::vector<std::vector<std::string>> &rows) {
  std::vector<size_t> widths;
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto &row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      std::string space(widths[i] - row[i].size(), ' ');
      text += i == 0 ? row[i] + (row.size() > 1 ? space : "") : "  " + space + row[i];
    }
    text += "\n";
  }
  return text;
}

namespace {

struct Totals {
  FileResult sum;
  uint64_t files = 0, transcoded = 0, carried = 0, finished = 0, plain = 0;
  uint64_t workedBytes = 0; ///< of originals, in this run

  explicit Totals(const JobReport &report) {
    for (const FileReport &file : report.files) {
      ++files;
      transcoded += file.action == FileAction::Transcoded || file.action == FileAction::Verified;
      carried += file.action == FileAction::Carried;
      finished += file.action == FileAction::Finished;
      plain += file.action == FileAction::Plain;
      if (file.action != FileAction::Finished && file.action != FileAction::Plain)
        workedBytes += file.result.originalBytes;
      sum.originalBytes += file.result.originalBytes;
      sum.storedBytes += file.result.storedBytes;
      sum.codedTensors += file.result.codedTensors;
      sum.rawTensors += file.result.rawTensors;
      sum.codedElements += file.result.codedElements;
      sum.codedBytes += file.result.codedBytes;
    }
  }
};

std::string plural(uint64_t count, const char *noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// "12.3 % less".
std::string printSaving(uint64_t original, uint64_t stored) {
  if (original == 0)
    return "";
  double saving = 100 * (1 - double(stored) / double(original));
  return printNumber(std::abs(saving), 1) + (saving >= 0 ? " % less" : " % more");
}

const char *nameOf(FileAction action, Task task) {
  switch (action) {
  case FileAction::Transcoded:
    return task == Task::Decompress ? "decompressed" : task == Task::Convert ? "converted" : "compressed";
  case FileAction::Carried:
    return "carried";
  case FileAction::Finished:
    return "finished before";
  case FileAction::Verified:
    return "verified";
  case FileAction::Plain:
    break;
  }
  return "plain";
}

const char *nameOf(Task task) {
  switch (task) {
  case Task::Compress:
    return "compress";
  case Task::Convert:
    return "convert";
  case Task::Decompress:
    return "decompress";
  case Task::Verify:
    break;
  }
  return "verify";
}

} // namespace

std::string pack::printJob(const JobOptions &options, const JobReport &report) {
  if (!report.nothing.empty())
    return report.nothing + "\n";
  Totals totals(report);
  std::string text = options.task == Task::Verify ? options.input : options.output;
  FileAction main = options.task == Task::Verify ? FileAction::Verified : FileAction::Transcoded;
  text += ": " + plural(totals.transcoded, "file") + " " + nameOf(main, options.task);
  for (auto [count, what] :
       {std::pair(totals.carried, "carried"), {totals.finished, "finished before"}, {totals.plain, "not compressed"}})
    if (count != 0)
      text += ", " + std::to_string(count) + " " + what;
  if (options.partCount > 1)
    text += " (part " + std::to_string(options.part) + " of " + std::to_string(options.partCount) + ")";
  text += "\n";
  const FileResult &sum = totals.sum;
  if (sum.codedTensors != 0) {
    text += "  FP8 tensors  " + std::to_string(sum.codedTensors);
    if (sum.rawTensors != 0)
      text += ", " + std::to_string(sum.rawTensors) + " of them raw (no gain)";
    text += "\n";
    if (sum.codedElements != 0)
      text += "  FP8 weights  " + formatBytes(double(sum.codedElements)) + " -> " +
              formatBytes(double(sum.codedBytes)) + " (" +
              printNumber(8 * double(sum.codedBytes) / double(sum.codedElements), 3) + " bits per weight, " +
              printSaving(sum.codedElements, sum.codedBytes) + ")\n";
  }
  if (totals.transcoded != 0 && options.task != Task::Decompress)
    text += "  all files    " + formatBytes(double(sum.originalBytes)) + " -> " + formatBytes(double(sum.storedBytes)) +
            " (" + printSaving(sum.originalBytes, sum.storedBytes) + ")\n";
  text += "  time         " + printNumber(report.seconds, 2) + " s";
  if (report.seconds > 0)
    text += ", " + printNumber(double(totals.workedBytes) / report.seconds / 1e9, 2) + " GB/s";
  return text + "\n";
}

json pack::jobToJson(const JobOptions &options, const JobReport &report) {
  json files = json::array();
  for (const FileReport &file : report.files) {
    json entry = {{"name", file.name},
                  {"action", nameOf(file.action, options.task)},
                  {"original_bytes", file.result.originalBytes},
                  {"stored_bytes", file.result.storedBytes},
                  {"seconds", file.seconds}};
    if (file.action == FileAction::Transcoded || file.action == FileAction::Verified) {
      entry["original_xxh3"] = hashToHex(file.result.originalHash);
      entry["fp8_tensors"] = file.result.codedTensors;
      entry["raw_tensors"] = file.result.rawTensors;
      entry["fp8_elements"] = file.result.codedElements;
      entry["payload_bytes"] = file.result.codedBytes;
    }
    files.push_back(std::move(entry));
  }
  Totals totals(report);
  json result = {{"command", nameOf(options.task)},
                 {"input", options.input},
                 {"part", options.part},
                 {"parts", options.partCount},
                 {"seconds", report.seconds},
                 {"original_bytes", totals.sum.originalBytes},
                 {"stored_bytes", totals.sum.storedBytes},
                 {"fp8_elements", totals.sum.codedElements},
                 {"payload_bytes", totals.sum.codedBytes},
                 {"files", std::move(files)}};
  if (options.task != Task::Verify)
    result["output"] = options.output;
  if (options.task == Task::Compress || options.task == Task::Convert)
    result["encoding"] = getName(options.preset);
  if (!report.nothing.empty())
    result["nothing"] = report.nothing;
  return result;
}
