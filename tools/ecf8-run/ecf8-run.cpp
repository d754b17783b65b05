// ecf8-run: calls an entry point of a bundle from the command line, on the thin runtime alone.
#include "Compare.h"
#include "Npy.h"
#include "Report.h"
#include "Tensor.h"

#include "ecf8-c/Runtime.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>

using namespace ecf8;
using namespace ecf8::run;

namespace {

enum ExitCode { Success = 0, Differs = 1, BadUsage = 2, Failure = 3 };

constexpr const char *helpFooter = R"(
Tensors:
  @file.npy             an array of NumPy, C order; FP8 as u1 or V1, bfloat16 as u2 or V2
  4x16xf32=0.5          all elements the same
  4xf32=1,2,3,4         each element, in row-major order
  i64=7                 a scalar
  4x16xf32=random:SEED  floats uniform in [-1, 1), integers 0 to 99, booleans 0 or 1
  dtypes: f8E4M3FN f8E5M2 f16 bf16 f32 f64 i1 i8 i16 i32 i64 ui8

Exit codes:
  0 success    1 an output differs from --expected    2 wrong command line    3 any other error

Environment:
  ECF8_CPU          instruction set to run on, as --cpu
  ECF8_DEVICE       where a bundle for GPUs runs, as --device
  ECF8_NUM_THREADS  number of threads, as --threads

Examples:
  ecf8-run model.ecf8/ --list
  ecf8-run model.ecf8/ --function=main --input=@x.npy --output=@y.npy
  ecf8-run model.ecf8/ --input=4x16xf32=0.5 --expected=@z.npy
  ecf8-run model.ecf8/ --input=4x16xf32=random:1 --benchmark=1000 --json
)";

struct Options {
  std::string bundle, function, cpu, device;
  std::vector<std::string> inputs, outputs, expected;
  Tolerance tolerance;
  int threads = 0;
  int64_t benchmarkRuns = 0;
  bool json = false, list = false, verify = false, skipWeightChecksums = false;
};

struct ModelDeleter {
  void operator()(EcfModel *model) const { ecf8_model_free(model); }
};
using ModelPtr = std::unique_ptr<EcfModel, ModelDeleter>;

struct TensorDeleter {
  void operator()(DLManagedTensorVersioned *tensor) const { tensor->deleter(tensor); }
};
using TensorPtr = std::unique_ptr<DLManagedTensorVersioned, TensorDeleter>;

/// The runtime's last error as a Status.
Status lastError(EcfStatusCode code) {
  return code == ECF8_OK ? Status::ok() : Status(static_cast<StatusCode>(code), ecf8_last_error());
}

/// A run of one entry point.
class Runner {
public:
  explicit Runner(const Options &options) : options(options) {}

  /// The exit code, or an error.
  Result<ExitCode> run();

private:
  Status chooseEntry();
  Status readInputs();
  Status readExpected();
  Result<std::vector<TensorPtr>> call();
  Status benchmark();
  Status createOutputs();
  Status writeOutputs(const std::vector<TensorPtr> &results);

  const Options &options;
  ModelPtr model;
  size_t entry = 0;
  std::string entryName;
  std::vector<EcfTensorSpec> outputSpecs;
  std::vector<HostTensor> inputs, expected;
  std::vector<DLManagedTensorVersioned> inputHandles;
  std::vector<AtomicFile> outputFiles;
};

} // namespace

static Status invalid(const std::string &message) { return Status(StatusCode::InvalidArgument, message); }

/// "--input" or "--output" number `index`, for messages.
static std::string argumentName(const char *flag, size_t index) { return flag + (" " + std::to_string(index)); }

Status Runner::chooseEntry() {
  if (!options.function.empty()) {
    if (EcfStatusCode code = ecf8_model_find_entry(model.get(), options.function.c_str(), &entry); code != ECF8_OK)
      return lastError(code).in("--function");
  } else if (ecf8_model_entry_count(model.get()) != 1 &&
             ecf8_model_find_entry(model.get(), "main", &entry) != ECF8_OK) {
    return invalid("expected --function, as the model has several entry points and none is 'main'; --list shows them");
  }
  if (ecf8_model_entry_count(model.get()) == 0)
    return invalid("expected a model with an entry point, got none");
  entryName = ecf8_model_entry_name(model.get(), entry);
  outputSpecs.resize(ecf8_model_output_count(model.get(), entry));
  for (size_t i = 0; i < outputSpecs.size(); ++i)
    ecf8_model_output_spec(model.get(), entry, i, &outputSpecs[i]);
  for (auto [flag, count] : {std::pair("--output", options.outputs.size()), {"--expected", options.expected.size()}})
    if (count > outputSpecs.size())
      return invalid(entryName + ": expected at most " + std::to_string(outputSpecs.size()) + " times " + flag +
                     ", got " + std::to_string(count));
  return Status::ok();
}

Status Runner::readInputs() {
  size_t count = ecf8_model_input_count(model.get(), entry);
  if (options.inputs.size() != count)
    return invalid(entryName + ": expected " + std::to_string(count) + " times --input, got " +
                   std::to_string(options.inputs.size()));
  for (size_t i = 0; i < count; ++i) {
    EcfTensorSpec spec;
    ecf8_model_input_spec(model.get(), entry, i, &spec);
    const std::string &text = options.inputs[i];
    Result<HostTensor> tensor =
        text.starts_with("@") ? readNpy(text.substr(1), spec.dlDtype, spec.dtype) : parseTensor(text, spec);
    if (!tensor)
      return tensor.status().in(argumentName("--input", i));
    inputs.push_back(tensor.take());
  }
  for (HostTensor &input : inputs) {
    DLManagedTensorVersioned handle = {};
    handle.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
    handle.dl_tensor = {input.bytes().data(),
                        {kDLCPU, 0},
                        static_cast<int32_t>(input.shape.size()),
                        input.dtype,
                        input.shape.data(),
                        nullptr,
                        0};
    inputHandles.push_back(handle);
  }
  return Status::ok();
}

/// The path behind "@".
static Result<std::string> filePath(const std::string &text, const std::string &flag) {
  if (text.size() < 2 || text[0] != '@')
    return invalid(flag + ": expected @file.npy, got '" + text + "'");
  return text.substr(1);
}

Status Runner::readExpected() {
  for (size_t i = 0; i < options.expected.size(); ++i) {
    std::string flag = argumentName("--expected", i);
    Result<std::string> path = filePath(options.expected[i], flag);
    if (!path)
      return path.status();
    Result<HostTensor> tensor = readNpy(*path, outputSpecs[i].dlDtype, outputSpecs[i].dtype);
    if (!tensor)
      return tensor.status().in(flag);
    expected.push_back(tensor.take());
  }
  return Status::ok();
}

Status Runner::createOutputs() {
  for (size_t i = 0; i < options.outputs.size(); ++i) {
    Result<std::string> path = filePath(options.outputs[i], argumentName("--output", i));
    if (!path)
      return path.status();
    Result<AtomicFile> file = AtomicFile::create(*path);
    if (!file)
      return file.status();
    outputFiles.push_back(file.take());
  }
  return Status::ok();
}

Result<std::vector<TensorPtr>> Runner::call() {
  std::vector<const DLManagedTensorVersioned *> pointers;
  for (const DLManagedTensorVersioned &handle : inputHandles)
    pointers.push_back(&handle);
  std::vector<DLManagedTensorVersioned *> outputs(outputSpecs.size());
  EcfStatusCode code =
      ecf8_model_invoke(model.get(), entry, pointers.data(), pointers.size(), outputs.data(), outputs.size());
  if (code != ECF8_OK)
    return lastError(code);
  std::vector<TensorPtr> results;
  for (DLManagedTensorVersioned *output : outputs)
    results.emplace_back(output);
  return results;
}

Status Runner::benchmark() {
  using Clock = std::chrono::steady_clock;
  std::vector<double> milliseconds;
  // The first calls fault pages in and start threads.
  constexpr int64_t warmUpRuns = 3;
  for (int64_t i = -warmUpRuns; i < options.benchmarkRuns; ++i) {
    Clock::time_point start = Clock::now();
    Result<std::vector<TensorPtr>> results = call();
    Clock::time_point end = Clock::now();
    if (!results)
      return results.status();
    if (i >= 0)
      milliseconds.push_back(std::chrono::duration<double, std::milli>(end - start).count());
  }
  std::string text =
      reportTiming(summarize(milliseconds), model.get(), entryName.c_str(), milliseconds.size(), options.json);
  std::fputs(text.c_str(), stdout);
  return Status::ok();
}

Status Runner::writeOutputs(const std::vector<TensorPtr> &results) {
  for (size_t i = 0; i < outputFiles.size(); ++i) {
    const DLTensor &tensor = results[i]->dl_tensor;
    std::span<const int64_t> shape(tensor.shape, static_cast<size_t>(tensor.ndim));
    size_t bytes = (tensor.dtype.bits + 7u) / 8u;
    for (int64_t size : shape)
      bytes *= static_cast<size_t>(size);
    if (Status status = outputFiles[i].append(asBytes(npyHeader(tensor.dtype, shape))); !status.isOk())
      return status;
    if (Status status = outputFiles[i].append({static_cast<const uint8_t *>(tensor.data), bytes}); !status.isOk())
      return status;
  }
  for (AtomicFile &file : outputFiles)
    if (Status status = file.commit(); !status.isOk())
      return status;
  return Status::ok();
}

Result<ExitCode> Runner::run() {
  if (options.verify) {
    if (EcfStatusCode code = ecf8_bundle_verify(options.bundle.c_str()); code != ECF8_OK)
      return lastError(code);
    std::printf("%s: sizes and checksums are right\n", options.bundle.c_str());
    return Success;
  }
  if (EcfStatusCode code = ecf8_set_threads(options.threads); code != ECF8_OK)
    return lastError(code).in("--threads");
  EcfLoadOptions loadOptions;
  ecf8_load_options_init(&loadOptions);
  loadOptions.skipWeightChecksums = options.skipWeightChecksums;
  loadOptions.cpu = options.cpu.empty() ? nullptr : options.cpu.c_str();
  loadOptions.device = options.device.empty() ? nullptr : options.device.c_str();
  EcfModel *loaded = nullptr;
  if (EcfStatusCode code = ecf8_model_load(options.bundle.c_str(), &loadOptions, &loaded); code != ECF8_OK)
    return lastError(code);
  model.reset(loaded);
  if (options.list) {
    std::fputs(listModel(model.get(), options.json).c_str(), stdout);
    return Success;
  }

  for (auto step : {&Runner::chooseEntry, &Runner::readInputs, &Runner::readExpected, &Runner::createOutputs})
    if (Status status = (this->*step)(); !status.isOk())
      return status;
  Result<std::vector<TensorPtr>> results = call();
  if (!results)
    return results.status();
  if (Status status = writeOutputs(*results); !status.isOk())
    return status;
  if (options.outputs.empty() && options.expected.empty() && !options.benchmarkRuns)
    for (size_t i = 0; i < outputSpecs.size(); ++i)
      std::printf("%s\n", printTensor((*results)[i]->dl_tensor, outputSpecs[i].dtype, /*limit=*/64).c_str());
  ExitCode exitCode = Success;
  for (size_t i = 0; i < expected.size(); ++i) {
    std::string difference = compare((*results)[i]->dl_tensor, expected[i], outputSpecs[i].dtype, options.tolerance);
    if (difference.empty())
      continue;
    std::fprintf(stderr, "ecf8-run: output %zu differs from %s: %s\n", i, options.expected[i].c_str() + 1,
                 difference.c_str());
    exitCode = Differs;
  }
  if (options.benchmarkRuns)
    if (Status status = benchmark(); !status.isOk())
      return status;
  return exitCode;
}

/// The value of --benchmark.
static bool parseRuns(const std::string &text, int64_t &runs) {
  runs = 100;
  if (text == "true")
    return true;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), runs);
  return error == std::errc() && stop == text.data() + text.size() && runs >= 1;
}

/// Declares the flags and parses the command line; an exit code if that is all there is to do.
static std::optional<int> parseCommandLine(int argc, char **argv, Options &options) {
  CLI::App app("Calls an entry point of a compiled model (a bundle folder that ecf8-compile wrote).", "ecf8-run");
  app.get_formatter()->column_width(34);
  app.footer(helpFooter);
  app.set_version_flag("--version", std::string("ecf8-run ") + ecf8_version());
  app.add_option("bundle", options.bundle, "The bundle, such as model.ecf8/")->required();
  app.add_option("--function", options.function, "Entry point; default: the only one, or 'main'")->type_name("NAME");
  // Each flag takes one value and may be repeated.
  auto repeated = [&](const char *flag, std::vector<std::string> &values, const char *description) {
    return app.add_option(flag, values, description)->allow_extra_args(false)->type_name("TENSOR");
  };
  repeated("--input", options.inputs, "An input, in order (see below)");
  repeated("--output", options.outputs, "Where to write an output, in order: @file.npy; without any, print them");
  repeated("--expected", options.expected, "What an output must equal, byte for byte, in order: @file.npy");
  app.add_option("--atol", options.tolerance.absolute, "With --expected: allow this absolute difference");
  app.add_option("--rtol", options.tolerance.relative,
                 "With --expected: allow this difference relative to the expected");
  std::string benchmark; // "true" where the flag stands without a number
  app.add_flag("--benchmark", benchmark, "Time calls: min, median, p99 in ms; --benchmark=N: N runs (default 100)");
  app.add_option("--threads", options.threads, "Number of threads; 0: all CPUs (default)")->type_name("N");
  app.add_option("--cpu", options.cpu, "Instruction set: generic, x86-64-v3, x86-64-v4, x86-64-v4-bf16")
      ->type_name("LEVEL");
  app.add_option("--device", options.device, "Where a bundle for GPUs runs: cuda:0, simt")->type_name("NAME");
  app.add_flag("--list", options.list, "Show entry points and weights, and do nothing else");
  app.add_flag("--verify", options.verify, "Check sizes and checksums of all files, and do nothing else");
  app.add_flag("--skip-weight-checksums", options.skipWeightChecksums, "Load faster; sizes are checked all the same");
  app.add_flag("--json", options.json, "Print --benchmark and --list as JSON");
  try {
    app.parse(argc, argv);
    if (app.count("--benchmark") && !parseRuns(benchmark, options.benchmarkRuns))
      throw CLI::ValidationError("--benchmark", "expected a number of runs of 1 or more, got '" + benchmark + "'");
    return std::nullopt;
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success))
      return app.exit(error); // --help, --version
    std::fprintf(stderr, "ecf8-run: %s\nTry ecf8-run --help.\n", error.what());
    return BadUsage;
  }
}

int main(int argc, char **argv) {
  try {
    Options options;
    if (std::optional<int> exitCode = parseCommandLine(argc, argv, options))
      return *exitCode;
    Result<ExitCode> exitCode = Runner(options).run();
    if (exitCode && std::fflush(stdout) == 0)
      return *exitCode;
    Status status = exitCode ? fileError("standard output", "write", errno) : exitCode.status();
    std::fprintf(stderr, "ecf8-run: %s\n", status.message().c_str());
    return Failure;
  } catch (const std::bad_alloc &) {
    std::fputs("ecf8-run: out of memory\n", stderr);
    return Failure;
  }
}
