// Commands, flags and their help.
#include "CommandLine.h"

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
--codec=raw|huffman|planes chooses one by name. 'ecf8-pack convert' changes it later.

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
  void addJobFlags(CLI::App *command);
  void addOutput(CLI::App *command);
  void addEncoding(CLI::App *command);
  void checkValues();

  Options &options;
  CLI::App app{"Compresses the FP8 tensors of safetensors checkpoints without loss, and restores them.", "ecf8-pack"};
  std::string target, codec, part;
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
  command->add_option("--for", target, "What the result is for: storage (default), cpu")->type_name("USE");
  command->add_option("--codec", codec, "Encoding by name instead: raw, huffman, planes")->type_name("NAME");
}

void Parser::addJobFlags(CLI::App *command) {
  command->add_option("--jobs,-j", options.job.jobs, "Threads at work (default: one per CPU)")->type_name("N");
  command->add_option("--part", part, "Do only this share of the files: 2/8 is the second of eight")->type_name("I/N");
  command->add_flag("--json", options.json, "Print the report as JSON");
  command->add_flag("--quiet,-q", options.quiet, "No progress bar and no report");
}

void Parser::checkValues() {
  options.job.preset = Preset::Storage;
  if (!target.empty() && !codec.empty())
    throw CLI::ValidationError("--codec", "expected --for or --codec, got both");
  if (!target.empty() && target != "storage" && target != "cpu")
    throw CLI::ValidationError("--for", "expected storage or cpu, got '" + target + "'");
  if (!codec.empty() && codec != "raw" && codec != "huffman" && codec != "planes")
    throw CLI::ValidationError("--codec", "expected raw, huffman or planes, got '" + codec + "'");
  if (std::string name = target + codec; !name.empty())
    options.job.preset = *parsePreset(name);
  if (!part.empty() && !parsePart(part, options.job))
    throw CLI::ValidationError("--part", "expected a part from 1/n to n/n, got '" + part + "'");
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
  for (CLI::App *command : {compress, decompress, verify, convert})
    command->add_option("IN", options.job.input, "A file or folder")->required();
  for (CLI::App *command : {compress, decompress, convert})
    addOutput(command);
  for (CLI::App *command : {compress, convert})
    addEncoding(command);
  for (CLI::App *command : {compress, decompress, verify, convert})
    addJobFlags(command);
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
