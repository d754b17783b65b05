// ecf8-compile: reads flags, calls the compiler, writes its result.
#include "ecf8/Checkpoint/CheckpointFile.h"
#include "ecf8/Pipelines/Bundle.h"
#include "ecf8/Pipelines/Compile.h"
#include "ecf8/Support/File.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/WithColor.h"
#include <csignal>
#include <cstdlib>
#include <malloc.h>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace mlir;
using namespace mlir::ecf8;
namespace cl = llvm::cl;

namespace {

enum class StatsFormat { None, Table, Json };

cl::OptionCategory category("ecf8-compile options");

/// The flags of the tool. An object in main, so that they are registered after LLVM's own.
struct Flags {
  cl::opt<std::string> input{cl::Positional, cl::desc("<program: .mlir or .mlirbc, '-' for standard input>"),
                             cl::init("-"), cl::cat(category)};
  cl::opt<std::string> output{"o",
                              cl::desc("The bundle to write, or the file for another --emit ('-': standard output)"),
                              cl::value_desc("path"), cl::cat(category)};
  cl::list<std::string> weights{
      "weights", cl::desc("Weights of the program: a safetensors file or a folder of shards; may be repeated"),
      cl::value_desc("path"), cl::cat(category)};
  cl::opt<bool> strictWeights{"strict-weights", cl::desc("A tensor that the program does not use is an error"),
                              cl::cat(category)};
  cl::opt<std::string> target{"target",
                              cl::desc("What to compile for: cpu (default), cuda for NVIDIA GPUs, or simt for the "
                                       "same kernels run on the CPU, slowly, with checks"),
                              cl::init("cpu"), cl::value_desc("name"), cl::cat(category)};
  cl::list<std::string> targetCpu{"target-cpu",
                                  cl::desc("Instruction sets, one object each, picked when loaded: native, "
                                           "x86-64-v4-bf16, x86-64-v4, x86-64-v3, generic "
                                           "(default: all but native)"),
                                  cl::value_desc("list"), cl::CommaSeparated, cl::cat(category)};
  cl::list<std::string> gpuArch{
      "gpu-arch",
      cl::desc(
          "GPU architectures of --target=cuda or simt: sm_80, sm_89, sm_90 (default), sm_90a, sm_100. A bundle has "
          "PTX for each, and for sm_90 where none of them is for newer GPUs, too; the first decides on the codec"),
      cl::value_desc("list"), cl::CommaSeparated, cl::cat(category)};
  cl::opt<Codec> codec{
      "codec", cl::desc("How FP8 weights are stored:"), cl::init(Codec::Auto), cl::cat(category),
      cl::values(clEnumValN(Codec::Auto, "auto",
                            "planes (for GPUs quads from sm_90 on, else pairs), or plain where that is not smaller "
                            "(default)"),
                 clEnumValN(Codec::Raw, "raw", "not compressed, through the same pipeline: the baseline"),
                 clEnumValN(Codec::Huffman, "huffman", "exponents in a canonical Huffman code"),
                 clEnumValN(Codec::Planes, "planes", "exponents in codes of two bits: larger, faster to decode"),
                 clEnumValN(Codec::Quads, "quads", "for GPUs: a code for two exponent bits of four weights"),
                 clEnumValN(Codec::Pairs, "pairs", "for GPUs: a code for the exponents of two weights"),
                 clEnumValN(Codec::Classic, "classic", "for GPUs: a code for the exponent of one weight"))};
  cl::opt<unsigned> maxCodeLength{
      "max-code-length",
      cl::desc("Longest code in bits: of huffman and classic 7 or 8 (default: 8), of quads 9 "
               "to 12 (default: 11), of pairs 8 to 12 (default: 12)"),
      cl::init(0), cl::value_desc("bits"), cl::cat(category)};
  cl::opt<uint32_t> tileColumns{"tile-columns",
                                cl::desc("Columns that decode as one piece, a multiple of 16 (default: 1024 for "
                                         "huffman; 256 for planes, which takes up to 1024); for GPUs a multiple of "
                                         "128 up to 1024 (default: 1024)"),
                                cl::value_desc("columns"), cl::cat(category)};
  cl::opt<uint64_t> minElements{"min-elements", cl::desc("FP8 weights with fewer elements stay plain (default: 1024)"),
                                cl::init(1024), cl::value_desc("count"), cl::cat(category)};
  cl::opt<Stage> stage{
      "emit", cl::desc("Where to stop and what to write:"), cl::init(Stage::Bundle), cl::cat(category),
      cl::values(clEnumValN(Stage::Parsed, "parsed", "the program as read"),
                 clEnumValN(Stage::Compressed, "compressed", "weights as globals, FP8 weights compressed"),
                 clEnumValN(Stage::Bufferized, "bufferized", "memrefs instead of tensors"),
                 clEnumValN(Stage::Lowered, "lowered", "loops, generated decoders, payloads as bytes"),
                 clEnumValN(Stage::LLVMDialect, "llvm-dialect", "the LLVM dialect of MLIR"),
                 clEnumValN(Stage::LLVMIR, "llvm-ir", "LLVM IR after optimization"),
                 clEnumValN(Stage::Assembly, "asm", "assembly for the best of --target-cpu"),
                 clEnumValN(Stage::Object, "obj", "an object file for the best of --target-cpu"),
                 clEnumValN(Stage::KernelDialect, "nvvm", "for GPUs: the kernels in the LLVM dialect of MLIR"),
                 clEnumValN(Stage::KernelIR, "kernel-ir", "for GPUs: their LLVM IR after optimization"),
                 clEnumValN(Stage::PTX, "ptx", "for GPUs: PTX"),
                 clEnumValN(Stage::Cubin, "cubin", "for GPUs: machine code, by the CUDA toolkit's ptxas"),
                 clEnumValN(Stage::Bundle, "bundle", "a folder with code, weights and manifest (default)"))};
  cl::opt<StatsFormat> stats{"stats",
                             cl::desc("Print size, entropy and codec of each weight:"),
                             cl::init(StatsFormat::None),
                             cl::ValueOptional,
                             cl::cat(category),
                             cl::values(clEnumValN(StatsFormat::Table, "", ""),
                                        clEnumValN(StatsFormat::Table, "table", "as a table (default)"),
                                        clEnumValN(StatsFormat::Json, "json", "as JSON"))};
  cl::opt<std::string> statsFile{"stats-file", cl::desc("Where --stats goes (default: standard output)"),
                                 cl::value_desc("path"), cl::cat(category)};
  cl::opt<bool> fuseDecode{"fuse-decode",
                           cl::desc("Decode each weight inside of the contractions that read it (default: true); with "
                                    "false as a whole before them, with the same results"),
                           cl::init(true), cl::cat(category)};
  cl::opt<std::string> arithmetic{
      "arithmetic",
      cl::desc("Where scales are applied: as-written, to each weight (default), or epilogue, to sums, which is faster "
               "and rounds otherwise"),
      cl::init("as-written"), cl::cat(category), cl::value_desc("mode")};
  cl::opt<bool> fuseEpilogue{"fuse-epilogue",
                             cl::desc("Do the elementwise ops on the result of a contraction inside of it (default: "
                                      "true); with false behind it, with the same results"),
                             cl::init(true), cl::cat(category)};
  cl::opt<bool> tileAttention{"tile-attention",
                              cl::desc("Compute attention a block of rows at a time (default: true); with false "
                                       "the scores as a whole, with the same results"),
                              cl::init(true), cl::cat(category)};
  cl::opt<RemarkSelection> remarks{
      "remarks",
      cl::desc("Print what the passes did with each weight and contraction, at its place in the program:"),
      cl::init(RemarkSelection::None),
      cl::ValueOptional,
      cl::cat(category),
      cl::values(clEnumValN(RemarkSelection::All, "", ""), clEnumValN(RemarkSelection::All, "all", "all (default)"),
                 clEnumValN(RemarkSelection::Missed, "missed", "what was not done, and why"))};
  cl::opt<unsigned> optimizationLevel{"O",
                                      cl::Prefix,
                                      cl::desc("Optimization level of LLVM, 0 to 3 (default: 3)"),
                                      cl::init(3),
                                      cl::value_desc("level"),
                                      cl::cat(category)};
  cl::opt<unsigned> threads{"threads", cl::desc("Threads to use (default: one per processor)"), cl::init(0),
                            cl::value_desc("count"), cl::cat(category)};
  cl::opt<std::string> linker{"linker", cl::desc("ld.lld to link with (default: the one of the build, then PATH)"),
                              cl::value_desc("path"), cl::cat(category)};
  cl::opt<bool> verbose{"v", cl::desc("Print the time that each phase takes"), cl::cat(category)};
  cl::alias verboseLong{"verbose", cl::aliasopt(verbose), cl::desc("The same as -v"), cl::cat(category)};
  cl::opt<bool> quiet{"q", cl::desc("Print errors only"), cl::cat(category)};
};

constexpr llvm::StringLiteral overview =
    "ecf8-compile - compile a program with FP8 weights into a bundle whose weights "
    "are compressed without loss\n";

constexpr llvm::StringLiteral examples = R"(
EXAMPLES:

  ecf8-compile model.mlir --weights model.safetensors -o model.ecf8
      A bundle with code for all instruction sets. Run it with: ecf8-run model.ecf8
  ecf8-compile model.mlir --weights model.safetensors --codec=raw -o raw.ecf8
      The same without compression, to compare with.
  import-model | ecf8-compile - --weights shards/ --target-cpu=native -o model.ecf8 --stats
      The program from standard input, weights from a folder of shards, code for this machine only.
  ecf8-compile model.mlir --weights model.safetensors --target=cuda --gpu-arch=sm_90a -o model.ecf8
      For NVIDIA GPUs. Run it with: ecf8-run --device=cuda:0 model.ecf8
  ecf8-compile model.mlir --weights model.safetensors --emit=compressed
      The program after compression, on standard output. All stages: --emit.

The options of MLIR's pass managers work as in mlir-opt, for example --mlir-print-ir-after-all and --mlir-timing
(with --threads=1 for output in order). --help-hidden lists them.

Exit codes: 0 success, 2 a command line that cannot work, 1 any other error.
)";

int fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "ecf8-compile") << message << "\n";
  return 1;
}

constexpr int badUsage = 2;

/// For command lines that cannot work.
int refuse(const llvm::Twine &message) {
  fail(message);
  return badUsage;
}

void printVersion(llvm::raw_ostream &stream) {
  stream << "ecf8-compile " ECF8_VERSION " (LLVM " LLVM_VERSION_STRING ")\n";
}

/// Takes away the flags of LLVM's shared library whose names this tool uses for its own. Some of them exist only once a
/// command line has been parsed.
void dropOptionsOfLLVM(const char *program) {
  const char *nothing[] = {program};
  cl::ParseCommandLineOptions(1, nothing);
  for (llvm::StringRef name : {"threads", "stats"})
    if (cl::Option *option = cl::getRegisteredOptions().lookup(name))
      option->removeArgument();
}

/// Where the bundle goes without -o: next to where the user stands, named after the program.
std::string getDefaultBundlePath(llvm::StringRef input) {
  llvm::SmallString<128> path = llvm::sys::path::filename(input);
  llvm::sys::path::replace_extension(path, "ecf8");
  return path.str().str();
}

int writeResult(llvm::StringRef path, llvm::ArrayRef<char> content) {
  if (path.empty() || path == "-") {
    llvm::outs() << llvm::StringRef(content.data(), content.size());
    llvm::outs().flush();
    if (llvm::outs().has_error()) {
      std::string message = llvm::outs().error().message();
      llvm::outs().clear_error();
      return fail("standard output: cannot write: " + message);
    }
    return 0;
  }
  if (::ecf8::Status status = ::ecf8::writeFileAtomically(path.str(), std::string_view(content.data(), content.size()));
      !status.isOk())
    return fail(status.message());
  return 0;
}

/// What --codec=auto stands for on `gpu`: as `ecf8-pack --for` would choose.
Codec getAutomaticCodec(const Architecture &gpu) {
  std::optional<::ecf8::Preset> preset = ::ecf8::parsePreset({gpu.name.data(), gpu.name.size()});
  assert(preset && "each architecture is a preset");
  return getCodec(*preset) == ::ecf8::Preset::Quads ? Codec::Quads : Codec::Pairs;
}

} // namespace

/// Lets Ctrl-C and its like end this process without a temporary folder beside the output. A thread waits for them:
/// a signal handler may not list folders. Before any other thread starts, so that all have these signals blocked.
static void cleanUpOnSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGHUP, SIGINT, SIGTERM}) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) // as nohup leaves SIGHUP
      sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int signal;
    if (sigwait(&signals, &signal) != 0)
      return;
    removeTemporaryBundles();
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    raise(signal);
  }).detach();
}

/// The last act of a process that cannot go on: a message, and no temporary folder left behind.
[[noreturn]] static void die(llvm::StringRef reason, llvm::StringRef hint) {
  for (llvm::StringRef part : {llvm::StringRef("ecf8-compile: error: "), reason.rtrim(), hint, llvm::StringRef("\n")})
    if (write(STDERR_FILENO, part.data(), part.size()) < 0)
      break;
  alarm(10); // another thread may hold what the removal waits for
  removeTemporaryBundles();
  _exit(1);
}

/// LLVM's back end ends the process where it has no instruction for an operation, as for an intrinsic of another CPU.
/// Here that is an error like others. The same for memory that is not to be had, which `reserve` helps to report.
static void handleFatalErrors() {
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    llvm::StringRef text(reason);
    bool isInstruction = text.contains("Cannot select") || text.contains("Do not know how to");
    die(reason, isInstruction ? "; does the program use an instruction that --target-cpu lacks?" : "");
  });
  static void *reserve = std::malloc(256 << 10);
  llvm::install_bad_alloc_error_handler([](void *, const char *, bool) {
    std::free(std::exchange(reserve, nullptr));
    die("out of memory", "");
  });
}

int main(int argc, char **argv) {
  cleanUpOnSignals();
  llvm::InitLLVM init(argc, argv);
  handleFatalErrors();
#ifdef M_ARENA_MAX
  // Of glibc: with an arena for each thread, each would keep what its passes freed (10 MB on MiniLM).
  mallopt(M_ARENA_MAX, 2);
#endif
  // A file that reaches the size limit is an error to report, not a reason to die and leave a partial bundle.
  std::signal(SIGXFSZ, SIG_IGN);
  dropOptionsOfLLVM(argv[0]);
  registerAsmPrinterCLOptions();
  registerMLIRContextCLOptions();
  registerPassManagerCLOptions();
  registerDefaultTimingManagerCLOptions();
  Flags flags;
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(printVersion);
  cl::extrahelp help(examples);
  if (!cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs()))
    return badUsage;

  if (flags.target != "cpu" && flags.target != "cuda" && flags.target != "simt")
    return refuse("expected --target=cpu, cuda or simt, got '" + flags.target + "'");
  const bool isForGpu = flags.target != "cpu";
  const bool isKernelStage = flags.stage >= Stage::KernelDialect && flags.stage <= Stage::Cubin;
  if (isForGpu && flags.stage > Stage::Lowered && flags.stage != Stage::Bundle && !isKernelStage)
    return refuse("expected --emit=parsed, compressed, bufferized, lowered, nvvm, kernel-ir, ptx, cubin or bundle with "
                  "--target=" +
                  flags.target);
  if (!isForGpu && isKernelStage)
    return refuse("expected --target=cuda or simt with --emit=nvvm, kernel-ir, ptx and cubin, got cpu");
  llvm::SmallVector<const Architecture *> architectures;
  std::vector<std::string> wantedArchitectures = flags.gpuArch;
  if (!isForGpu && !wantedArchitectures.empty())
    return refuse("expected --target=cuda or simt with --gpu-arch, got cpu");
  if (isForGpu && wantedArchitectures.empty())
    wantedArchitectures.push_back("sm_90");
  for (const std::string &name : wantedArchitectures) {
    const Architecture *architecture = findArchitecture(name);
    if (!architecture)
      return refuse("expected --gpu-arch=sm_80, sm_89, sm_90, sm_90a or sm_100, got '" + name + "'");
    if (!llvm::is_contained(architectures, architecture))
      architectures.push_back(architecture);
  }
  if (flags.target == "simt" && architectures.size() != 1)
    return refuse("expected one architecture in --gpu-arch with --target=simt, got several");
  if (isKernelStage && architectures.size() != 1)
    return refuse("expected one architecture in --gpu-arch with this --emit, got several");
  const bool isGpuCodec = flags.codec == Codec::Quads || flags.codec == Codec::Pairs || flags.codec == Codec::Classic;
  if (isGpuCodec != isForGpu && flags.codec != Codec::Auto && flags.codec != Codec::Raw)
    return refuse(isForGpu
                      ? "expected --codec=auto, raw, quads, pairs or classic for a GPU, got " + getName(flags.codec)
                      : "expected --target=cuda or simt with --codec=" + getName(flags.codec) + ", got cpu");
  if (flags.arithmetic != "as-written" && flags.arithmetic != "epilogue")
    return refuse("expected --arithmetic=as-written or epilogue, got '" + llvm::Twine(flags.arithmetic.getValue()) +
                  "'");
  if (flags.arithmetic == "epilogue" && !flags.fuseDecode)
    return refuse("expected --arithmetic=epilogue with fused contractions, got --fuse-decode=false");
  if (flags.optimizationLevel > 3)
    return refuse("expected an optimization level from 0 to 3, got " + llvm::Twine(flags.optimizationLevel));
  CompileOptions options;
  options.fuseDecode = flags.fuseDecode;
  options.arithmetic = flags.arithmetic;
  options.fuseEpilogue = flags.fuseEpilogue;
  options.tileAttention = flags.tileAttention;
  options.remarks = flags.remarks;
  options.gpus = architectures;
  options.isForSimt = flags.target == "simt";
  if (const Architecture *more = getForwardCompatible(architectures); more && flags.target == "cuda")
    options.gpus.push_back(more);
  options.codec.codec = flags.codec;
  options.codec.minElements = flags.minElements;
  options.codec.isForGpu = isForGpu;
  if (isForGpu)
    options.codec.automatic = getAutomaticCodec(*architectures.front());
  if (flags.maxCodeLength.getNumOccurrences() != 0) {
    if (flags.codec != Codec::Huffman && !isGpuCodec)
      return refuse("expected --codec=huffman, quads, pairs or classic with --max-code-length, got " +
                    getName(flags.codec));
    options.codec.maxCodeLength = flags.maxCodeLength;
    if (::ecf8::Status status = checkCodecOptions(options.codec); !status.isOk())
      return refuse("--max-code-length: " + status.message());
  }
  if (flags.tileColumns.getNumOccurrences() != 0) {
    options.codec.tileColumns = flags.tileColumns;
    if (::ecf8::Status status = checkCodecOptions(options.codec); !status.isOk())
      return refuse("--tile-columns: " + status.message());
  }
  // The host's part of a program for GPUs is little.
  std::vector<std::string> levelNames = flags.targetCpu;
  if (isForGpu && levelNames.empty())
    levelNames.push_back("generic");
  ::ecf8::Result<llvm::SmallVector<const CpuLevel *>> levels = parseCpuLevels(levelNames);
  if (!levels)
    return refuse(levels.status().message());
  options.levels = levels.take();
  options.weightPaths = flags.weights;
  options.strictWeights = flags.strictWeights;
  options.quiet = flags.quiet;
  options.optimizationLevel = flags.optimizationLevel;
  options.threads = flags.threads != 0 ? flags.threads : llvm::hardware_concurrency().compute_thread_count();
  options.linker = flags.linker;
  options.stage = flags.stage;
  if (options.stage == Stage::Bundle) {
    options.bundlePath = !flags.output.empty() ? flags.output : getDefaultBundlePath(flags.input);
    if (flags.output.empty() && flags.input == "-")
      return refuse("expected -o <bundle> for a program from standard input, got none");
    if (options.bundlePath == "-")
      return refuse("expected a path in -o for --emit=bundle, got '-'");
  }
  options.configurePassManager = [](PassManager &passes) {
    applyDefaultTimingPassManagerCLOptions(passes);
    return applyPassManagerCLOptions(passes);
  };

  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(flags.input, &message);
  if (!buffer)
    return fail(message);
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());

  DialectRegistry registry;
  registerCompilerDialects(registry);
  MLIRContext context(registry);
  SourceMgrDiagnosticHandler diagnostics(*sources, &context);
  // What is wrong with a file of weights or the output has no place in the program: `<unknown>:0` would help nobody.
  ScopedDiagnosticHandler withoutPlace(&context, [](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error || !isa<UnknownLoc>(diagnostic.getLocation()))
      return failure();
    fail(diagnostic.str());
    return success();
  });
  CompileStats stats;
  llvm::SmallVector<char> result;
  if (failed(compile(sources, context, options, stats, result)))
    return 1;
  if (options.stage != Stage::Bundle)
    if (int status = writeResult(flags.output, result))
      return status;

  if (flags.verbose)
    for (const CompileStats::Phase &phase : stats.phases)
      llvm::errs() << llvm::format("%8.3f s  ", phase.seconds) << phase.name << "\n";
  if (flags.stats == StatsFormat::None && flags.statsFile.empty())
    return 0;
  llvm::SmallVector<char> text;
  llvm::raw_svector_ostream stream(text);
  flags.stats == StatsFormat::Json ? stats.printJson(stream) : stats.printTable(stream);
  return writeResult(flags.statsFile, text);
}
