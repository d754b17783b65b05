// Commands, flags and their help.
#include "CommandLine.h"

#include "ecf8/Checkpoint/Budget.h"
#include "ecf8/Version.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <thread>

using namespace ecf8;
using namespace ecf8::pack;

namespace {

constexpr const char *mainFooter = R"(
Paths:
  IN is a *.safetensors file, a folder with shards and their index, or a snapshot folder of the
  Hugging Face cache (links are followed). OUT has the same files under the same names.

Exit codes:
  0 success, also when there is nothing to do    1 a difference (diff)    2 wrong command line    3 any other error

Examples:
  ecf8-pack stats Qwen3-8B-FP8
  ecf8-pack compress Qwen3-8B-FP8 Qwen3-8B-FP8.ecf8
  ecf8-pack verify Qwen3-8B-FP8.ecf8
  ecf8-pack decompress Qwen3-8B-FP8.ecf8 restored

'ecf8-pack COMMAND --help' explains a command.)";

constexpr const char *compressFooter = R"(
Every tensor of dtype F8_E4M3 or F8_E5M2 is compressed without loss. All other tensors and files are copied as they are.
IN is never changed. A run that was interrupted goes on where it was when it is started again.

Encodings (--for):
  storage   the smallest (default)
  cpu       what CPUs decode fastest; a little larger
  sm_90, sm_90a, sm_100
            for GPUs of compute capability 9.0 and newer: quads, in the order of their matrix units
  sm_80, sm_89
            for older ones: pairs, in the same order
--codec=raw|huffman|planes|quads|pairs|classic chooses one by name. 'ecf8-pack convert' changes it later.

Examples:
  ecf8-pack compress model-folder compressed-folder
  ecf8-pack compress model.safetensors model.ecf8.safetensors --for=cpu
  ecf8-pack compress model-folder /shared/out --part=2/8     # on the second of eight machines
  ecf8-pack compress model-folder out --json > report.json)";

constexpr const char *decompressFooter = R"(
The files that come out have the bytes of those that were compressed: the same checksums. That is checked before a file
gets its name.

Example:
  ecf8-pack decompress compressed-folder restored-folder)";

constexpr const char *convertFooter = R"(
The result is the same as compressing the original with this encoding; no original is needed.

Example:
  ecf8-pack convert stored-folder fast-folder --for=cpu)";

constexpr const char *verifyFooter = R"(
Reads everything and decodes it: the checksum of each payload, that of each tensor's content, and that of each original
file. Folders also have their index checked.

Example:
  ecf8-pack verify compressed-folder)";

constexpr const char *inspectFooter = R"(
Shows each tensor with its dtype and shape in the original, how it is stored, and what that takes. Reads headers only.

Examples:
  ecf8-pack inspect compressed-folder
  ecf8-pack inspect model.safetensors --json)";

constexpr const char *statsFooter = R"(
Reads a sample of each FP8 tensor and estimates what compressing would save; nothing is written.

  H(exponent)   entropy of the exponents, bits per weight
  bound         that and the sign and mantissa bits: what no code for exponents can beat
  storage       --for=storage: the smaller of two codes, chosen for each tensor
  huffman       --codec=huffman: a code of single exponents
  planes        --codec=planes, and --for=cpu
  quads         --codec=quads, and --for=sm_90, sm_90a and sm_100
  pairs         --codec=pairs, and --for=sm_80 and sm_89

--budget says what the saving buys on a device with so much memory: tokens of the cache and requests of --context
tokens for language models, the largest square image for image models. It reads config.json; the formulas are in
docs/guides/checkpoints.md.

Examples:
  ecf8-pack stats model-folder
  ecf8-pack stats model-folder --budget=24GiB --context=8192
  ecf8-pack stats model-folder --sample=all --json)";

constexpr const char *diffFooter = R"(
Compares what was compressed, not how: a checkpoint and its compressed copy do not differ. Exit code 1 if they do.

Example:
  ecf8-pack diff model-folder compressed-folder)";

unsigned processorCount() { return std::max(std::thread::hardware_concurrency(), 1u); }

bool parsePart(const std::string &text, JobOptions &job) {
  const char *end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, job.part);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/')
    return false;
  auto second = std::from_chars(first.ptr + 1, end, job.partCount);
  return second.ec == std::errc() && second.ptr == end && job.part >= 1 && job.part <= job.partCount;
}

class Parser {
public:
  explicit Parser(Options &options) : options(options) {}

  std::optional<int> parse(int argc, char **argv);

private:
  CLI::App *addCommand(Command command, const char *name, const char *description, const char *footer);
  void addThreads(CLI::App *command);
  void addPart(CLI::App *command);
  void addReport(CLI::App *command);
  void addStats(CLI::App *command);
  void addOutput(CLI::App *command);
  void addEncoding(CLI::App *command);
  void checkValues();

  Options &options;
  CLI::App app{"Compresses the FP8 tensors of safetensors checkpoints without loss, and restores them.", "ecf8-pack"};
  std::string target, codec, part, sample, budget;
};

} // namespace

CLI::App *Parser::addCommand(Command command, const char *name, const char *description, const char *footer) {
  CLI::App *added = app.add_subcommand(name, description);
  added->footer(footer);
  added->get_formatter()->column_width(30);
  added->callback([this, command] { options.command = command; });
  return added;
}

void Parser::addOutput(CLI::App *command) {
  command->add_option("OUT", options.job.output, "The file or folder to write")->required();
  command->add_flag("--force", options.job.force, "Overwrite what is in the way");
}

void Parser::addEncoding(CLI::App *command) {
  command
      ->add_option("--for", target,
                   "What the result is for: storage (default), cpu, sm_80, sm_89, sm_90, sm_90a, sm_100")
      ->type_name("USE");
  command->add_option("--codec", codec, "Encoding by name instead: raw, huffman, planes, quads, pairs, classic")
      ->type_name("NAME");
}

void Parser::addThreads(CLI::App *command) {
  command->add_option("--jobs,-j", options.job.jobs, "Threads at work (default: one per CPU)")->type_name("N");
}

void Parser::addPart(CLI::App *command) {
  command->add_option("--part", part, "Do only this share of the files: 2/8 is the second of eight")->type_name("I/N");
}

void Parser::addReport(CLI::App *command) {
  command->add_flag("--json", options.json, "Print the report as JSON");
  command->add_flag("--quiet,-q", options.quiet, "No progress bar and no report");
}

void Parser::addStats(CLI::App *command) {
  command->add_option("--sample", sample, "Bytes to read of all tensors together (default 1GiB), or all")
      ->type_name("SIZE");
  command->add_option("--budget", budget, "Memory of a device, such as 24GiB: say what fits")->type_name("SIZE");
  command->add_option("--context", options.stats.contextTokens, "Tokens of a request, for --budget")->type_name("N");
  command->add_option("--cache-bits", options.stats.cacheBits, "Bits of a number in the cache (default 16)")
      ->type_name("N");
  command->add_flag("--all", options.stats.showAll, "Show all tensors, not only the first 40");
}

void Parser::checkValues() {
  options.job.preset = Preset::Storage;
  if (!target.empty() && !codec.empty())
    throw CLI::ValidationError("--codec", "expected --for or --codec, got both");
  std::optional<Preset> use = parsePreset(target), name = parsePreset(codec);
  if (!target.empty() && (!use || (*use != Preset::Storage && getCodec(*use) == *use)))
    throw CLI::ValidationError("--for",
                               "expected storage, cpu, sm_80, sm_89, sm_90, sm_90a or sm_100, got '" + target + "'");
  if (!codec.empty() && (!name || *name == Preset::Storage || getCodec(*name) != *name))
    throw CLI::ValidationError("--codec",
                               "expected raw, huffman, planes, quads, pairs or classic, got '" + codec + "'");
  if (use || name)
    options.job.preset = use ? *use : *name;
  if (!part.empty() && !parsePart(part, options.job))
    throw CLI::ValidationError("--part", "expected a part from 1/n to n/n, got '" + part + "'");
  auto parseSize = [](const char *flag, const std::string &text) {
    std::optional<uint64_t> size = parseByteSize(text);
    if (!size)
      throw CLI::ValidationError(flag, "expected a size such as 24GiB or 500MB, got '" + text + "'");
    return *size;
  };
  if (!sample.empty())
    options.stats.sampleBytes = sample == "all" ? 0 : std::max<uint64_t>(parseSize("--sample", sample), 1);
  if (!budget.empty())
    options.stats.budgetBytes = parseSize("--budget", budget);
  if (options.job.jobs < 1)
    throw CLI::ValidationError("--jobs", "expected 1 or more threads, got 0");
}

std::optional<int> Parser::parse(int argc, char **argv) {
  options.job.jobs = processorCount();
  app.footer(mainFooter);
  app.set_version_flag("--version", "ecf8-pack " ECF8_VERSION_STRING);
  app.require_subcommand(1);

  CLI::App *compress =
      addCommand(Command::Compress, "compress", "Compress the FP8 tensors of a checkpoint", compressFooter);
  CLI::App *decompress =
      addCommand(Command::Decompress, "decompress", "Restore the original files, byte for byte", decompressFooter);
  CLI::App *verify = addCommand(Command::Verify, "verify", "Check a compressed checkpoint completely", verifyFooter);
  CLI::App *convert =
      addCommand(Command::Convert, "convert", "Change the encoding of a compressed checkpoint", convertFooter);
  CLI::App *inspect =
      addCommand(Command::Inspect, "inspect", "Show the tensors and how they are stored", inspectFooter);
  CLI::App *stats = addCommand(Command::Stats, "stats", "Estimate what compressing would save", statsFooter);
  CLI::App *diff = addCommand(Command::Diff, "diff", "Compare the contents of two checkpoints", diffFooter);
  for (CLI::App *command : {compress, decompress, verify, convert, inspect, stats})
    command->add_option("IN", options.job.input, "A file or folder")->required();
  diff->add_option("A", options.job.input, "A file or folder, compressed or not")->required();
  diff->add_option("B", options.job.output, "What to compare it with")->required();
  for (CLI::App *command : {compress, decompress, convert})
    addOutput(command);
  for (CLI::App *command : {compress, convert})
    addEncoding(command);
  addStats(stats);
  for (CLI::App *command : {compress, decompress, verify, convert, stats, diff})
    addThreads(command);
  for (CLI::App *command : {compress, decompress, verify, convert})
    addPart(command);
  for (CLI::App *command : {compress, decompress, verify, convert, inspect, stats, diff})
    addReport(command);
  try {
    app.parse(argc, argv);
    checkValues();
    return std::nullopt;
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success))
      return app.exit(error); // --help, --version
    std::fprintf(stderr, "ecf8-pack: %s\nTry ecf8-pack --help.\n", error.what());
    return BadUsage;
  }
}

std::optional<int> pack::parseCommandLine(int argc, char **argv, Options &options) {
  return Parser(options).parse(argc, argv);
}
