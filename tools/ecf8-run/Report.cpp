// What ecf8-run prints about a model.
#include "Report.h"

#include "Tensor.h"

#include "ecf8/Support/Json.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

using namespace ecf8;
using namespace ecf8::run;
using nlohmann::json;

static bool isOnGpu(const EcfModel *model) { return std::string_view(ecf8_model_device(model)) != "cpu"; }

[[gnu::format(printf, 2, 3)]] static void append(std::string &text, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  text += line;
}

namespace {

struct Entry {
  std::string name;
  std::vector<EcfTensorSpec> inputs, outputs;
};

} // namespace

static Entry readEntry(const EcfModel *model, size_t index) {
  Entry entry;
  entry.name = ecf8_model_entry_name(model, index);
  entry.inputs.resize(ecf8_model_input_count(model, index));
  entry.outputs.resize(ecf8_model_output_count(model, index));
  for (size_t i = 0; i < entry.inputs.size(); ++i)
    ecf8_model_input_spec(model, index, i, &entry.inputs[i]);
  for (size_t i = 0; i < entry.outputs.size(); ++i)
    ecf8_model_output_spec(model, index, i, &entry.outputs[i]);
  return entry;
}

static double bitsPerWeight(const EcfWeight &weight) {
  double count = 1;
  for (int32_t i = 0; i < weight.rank; ++i)
    count *= static_cast<double>(weight.shape[i]);
  return count == 0 ? 0 : 8.0 * static_cast<double>(weight.storedBytes) / count;
}

static std::string listAsJson(const EcfModel *model) {
  auto specs = [](const std::vector<EcfTensorSpec> &list) {
    json result = json::array();
    for (const EcfTensorSpec &spec : list)
      result.push_back(
          {{"dtype", spec.dtype},
           {"shape", spec.rank == ECF8_SCALAR_RANK ? json(nullptr)
                                                   : json(std::vector<int64_t>(spec.shape, spec.shape + spec.rank))}});
    return result;
  };
  json root = {{"cpu", ecf8_model_cpu(model)},
               {"device", ecf8_model_device(model)},
               {"producer", ecf8_model_producer(model)},
               {"entry_points", json::array()},
               {"weights", json::array()}};
  for (size_t i = 0; i < ecf8_model_entry_count(model); ++i) {
    Entry entry = readEntry(model, i);
    root["entry_points"].push_back(
        {{"name", entry.name}, {"inputs", specs(entry.inputs)}, {"outputs", specs(entry.outputs)}});
  }
  for (size_t i = 0; i < ecf8_model_weight_count(model); ++i) {
    EcfWeight weight;
    ecf8_model_weight(model, i, &weight);
    root["weights"].push_back({{"name", weight.name},
                               {"compressed", weight.isCompressed != 0},
                               {"dtype", weight.dtype},
                               {"shape", std::vector<int64_t>(weight.shape, weight.shape + weight.rank)},
                               {"transposed", ecf8_model_weight_is_transposed(model, i) != 0},
                               {"encoding", weight.encoding ? json(weight.encoding) : json(nullptr)},
                               {"stored_bytes", weight.storedBytes},
                               {"decoded_bytes", weight.decodedBytes},
                               {"bits_per_weight", bitsPerWeight(weight)}});
  }
  return root.dump(2) + "\n";
}

std::string run::listModel(const EcfModel *model, bool asJson) {
  if (asJson)
    return listAsJson(model);
  std::string text;
  append(text, "cpu       %s\n", ecf8_model_cpu(model));
  if (isOnGpu(model))
    append(text, "device    %s\n", ecf8_model_device(model));
  append(text, "producer  %s\n\nentry points\n", ecf8_model_producer(model));
  for (size_t i = 0; i < ecf8_model_entry_count(model); ++i) {
    Entry entry = readEntry(model, i);
    text += "  " + entry.name + "(";
    for (size_t j = 0; j < entry.inputs.size(); ++j)
      text += (j ? ", " : "") + describe(entry.inputs[j]);
    text += ") -> (";
    for (size_t j = 0; j < entry.outputs.size(); ++j)
      text += (j ? ", " : "") + describe(entry.outputs[j]);
    text += ")\n";
  }

  size_t nameWidth = 4, typeWidth = 4;
  std::vector<EcfWeight> weights(ecf8_model_weight_count(model));
  std::vector<std::string> types;
  for (size_t i = 0; i < weights.size(); ++i) {
    ecf8_model_weight(model, i, &weights[i]);
    types.push_back(describe({weights[i].shape, static_cast<size_t>(weights[i].rank)}, weights[i].dtype));
    nameWidth = std::max(nameWidth, std::string_view(weights[i].name).size());
    typeWidth = std::max(typeWidth, types[i].size());
  }
  auto pad = [](std::string cell, size_t width) {
    cell.resize(std::max(width, cell.size()), ' ');
    return cell;
  };
  text += "\nweights\n  " + pad("name", nameWidth) + "  " + pad("type", typeWidth);
  append(text, "  %12s  %12s  %6s  encoding\n", "bytes", "decoded", "b/w");
  uint64_t stored = 0, decoded = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    text += "  " + pad(weights[i].name, nameWidth) + "  " + pad(types[i], typeWidth);
    append(text, "  %12llu  %12llu  %6.3f  ", static_cast<unsigned long long>(weights[i].storedBytes),
           static_cast<unsigned long long>(weights[i].decodedBytes), bitsPerWeight(weights[i]));
    text += weights[i].encoding ? weights[i].encoding : "plain";
    text += ecf8_model_weight_is_transposed(model, i) ? ", transposed\n" : "\n";
    stored += weights[i].storedBytes;
    decoded += weights[i].decodedBytes;
  }
  text += "  " + pad("total", nameWidth + 2 + typeWidth);
  append(text, "  %12llu  %12llu\n", static_cast<unsigned long long>(stored), static_cast<unsigned long long>(decoded));
  return text;
}

Timing run::summarize(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  auto percentile = [&](double fraction) {
    size_t rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(milliseconds.size())));
    return milliseconds[std::max<size_t>(rank, 1) - 1];
  };
  return {milliseconds.front(), percentile(0.5), percentile(0.99)};
}

std::string run::reportTiming(const Timing &timing, const EcfModel *model, const char *function, size_t runs,
                              bool asJson) {
  if (asJson)
    return json{{"function", function},
                {"cpu", ecf8_model_cpu(model)},
                {"device", ecf8_model_device(model)},
                {"threads", ecf8_get_threads()},
                {"runs", runs},
                {"min_ms", timing.minimum},
                {"median_ms", timing.median},
                {"p99_ms", timing.p99}}
               .dump(2) +
           "\n";
  std::string text;
  if (isOnGpu(model)) {
    append(text, "%s: %zu runs on %s, with copies of inputs and outputs: min %.4f ms, median %.4f ms, p99 %.4f ms\n",
           function, runs, ecf8_model_device(model), timing.minimum, timing.median, timing.p99);
    return text;
  }
  append(text, "%s: %zu runs, %d threads, %s: min %.4f ms, median %.4f ms, p99 %.4f ms\n", function, runs,
         ecf8_get_threads(), ecf8_model_cpu(model), timing.minimum, timing.median, timing.p99);
  return text;
}
