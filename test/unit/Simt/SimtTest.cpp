// Helpers of the simulator's tests, and the test that each entry of the op table has one.
#include "SimtTest.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

using namespace ecf8;
using namespace ecf8::test;

static std::vector<std::string> splitArguments(const std::string &text) {
  std::vector<std::string> parts;
  int depth = 0;
  std::string part;
  for (char c : text) {
    if (c == ',' && depth == 0) {
      parts.push_back(part);
      part.clear();
      continue;
    }
    depth += c == '(' || c == '<' || c == '{' || c == '[';
    depth -= c == ')' || c == '>' || c == '}' || c == ']';
    part += c;
  }
  if (part.find_first_not_of(' ') != std::string::npos)
    parts.push_back(part);
  return parts;
}

std::string test::withDeclarations(const std::string &code) {
  std::map<std::string, std::string> declarations;
  for (size_t call = code.find("call "); call != std::string::npos; call = code.find("call ", call + 1)) {
    size_t name = code.find('@', call), line = code.find('\n', call);
    if (name == std::string::npos || name > line || code.substr(call, name - call).find(" asm ") != std::string::npos)
      continue;
    size_t open = code.find('(', name), close = open;
    for (int depth = 0;; ++close) {
      depth += code[close] == '(';
      depth -= code[close] == ')';
      if (depth == 0)
        break;
    }
    std::string symbol = code.substr(name, open - name);
    if (code.find("define") != std::string::npos && code.find(symbol + "(") < call &&
        code.rfind("define", code.find(symbol + "(")) > code.rfind('\n', code.find(symbol + "(")))
      continue; // defined in the text
    std::string types;
    for (const std::string &argument : splitArguments(code.substr(open + 1, close - open - 1))) {
      size_t begin = argument.find_first_not_of(' '), end = argument.rfind(' ');
      if (size_t cast = argument.find(" addrspacecast"); cast != std::string::npos)
        end = cast; // a constant expression
      types += (types.empty() ? "" : ", ") + argument.substr(begin, end - begin);
    }
    declarations[symbol] = "declare " + code.substr(call + 5, name - call - 5) + symbol + "(" + types + ")\n";
  }
  std::string result = code;
  for (const auto &[symbol, declaration] : declarations)
    result += declaration;
  return result;
}

simt::Module test::load(const std::string &text, bool check) {
  Result<simt::Module> module = simt::Module::load(text, {check, "test"});
  if (!module) {
    ADD_FAILURE() << module.status().message() << "\n" << text;
    return simt::Module::load("define ptx_kernel void @k() {\n ret void\n}\n").take();
  }
  return module.take();
}

std::string test::kernelText(const Body &body) {
  std::string text = body.globals + R"(
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %ntid = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %ctaid = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %ntid, %ctaid
  %index = add i32 %tid, %first
)";
  auto cell = [&text](const char *array, const Value &value, size_t each, size_t i) {
    std::string place = "%place." + std::string(array) + "." + value.name;
    std::string at = "%at." + std::string(array) + "." + value.name;
    text += "  " + at + ".0 = mul i32 %index, " + std::to_string(each) + "\n  " + at + " = add i32 " + at + ".0, " +
            std::to_string(i) + "\n  " + place + " = getelementptr [16 x i8], ptr addrspace(1) %" + array + ", i32 " +
            at + "\n";
    return place;
  };
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    std::string place = cell("in", body.inputs[i], body.inputs.size(), i);
    text += "  %" + body.inputs[i].name + " = load " + body.inputs[i].type + ", ptr addrspace(1) " + place + "\n";
  }
  text += body.code + "\n";
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    std::string place = cell("out", body.outputs[i], body.outputs.size(), i);
    text += "  store " + body.outputs[i].type + " %" + body.outputs[i].name + ", ptr addrspace(1) " + place + "\n";
  }
  return withDeclarations(text + "  ret void\n}\n");
}

static Status launch(const simt::Module &module, const Shape &shape, std::vector<void *> parameters) {
  Result<simt::Kernel> kernel = module.kernel("k");
  if (!kernel)
    return kernel.status();
  std::vector<void *> places;
  for (void *&parameter : parameters)
    places.push_back(&parameter);
  simt::LaunchOptions options;
  options.seed = shape.seed;
  options.numWorkers = shape.workers;
  options.livelockRounds = shape.livelockRounds;
  Status status = simt::launch(*kernel, {shape.blocks, 1, 1}, {shape.threads, 1, 1}, shape.dynamicSharedBytes,
                               places.data(), places.size(), options);
  if (status.isOk())
    for (const std::string &op : module.opNames())
      executedOps().push_back(op);
  return status;
}

std::vector<Cell> test::run(const Body &body, const std::vector<Cell> &in, const Shape &shape) {
  size_t numThreads = size_t(shape.threads) * shape.blocks;
  EXPECT_EQ(in.size(), numThreads * body.inputs.size());
  std::string text = kernelText(body);
  simt::Module module = load(text, shape.check);
  std::vector<Cell> out(numThreads * std::max<size_t>(body.outputs.size(), 1));
  auto *deviceIn = simt::allocate(std::max<size_t>(in.size(), 1) * sizeof(Cell));
  auto *deviceOut = simt::allocate(out.size() * sizeof(Cell));
  std::memcpy(deviceIn, in.data(), in.size() * sizeof(Cell));
  std::memset(deviceOut, 0, out.size() * sizeof(Cell));
  Status status = launch(module, shape, {deviceIn, deviceOut});
  EXPECT_TRUE(status.isOk()) << status.message() << "\n" << text;
  std::memcpy(out.data(), deviceOut, out.size() * sizeof(Cell));
  EXPECT_TRUE(simt::release(deviceIn).isOk());
  EXPECT_TRUE(simt::release(deviceOut).isOk());
  return out;
}

std::string test::launchError(const std::string &text, const Shape &shape) {
  simt::Module module = load(withDeclarations(text), shape.check);
  return launch(module, shape, {}).message();
}

std::string test::checkError(const std::string &globals, const std::string &code, Shape shape) {
  shape.check = true;
  return launchError(globals + "\ndefine ptx_kernel void @k() {\n  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n" +
                         code + "\n  ret void\n}\n",
                     shape);
}

std::string test::loadError(const std::string &text) {
  Result<simt::Module> module = simt::Module::load(text, {false, "test"});
  return module ? "" : module.status().message();
}

std::vector<std::string> &test::executedOps() {
  static std::vector<std::string> ops;
  return ops;
}

static std::vector<std::string> &registeredOps() {
  static std::vector<std::string> ops;
  return ops;
}

bool test::registerOpTest(std::vector<std::string> ops) {
  for (std::string &op : ops)
    registeredOps().push_back(std::move(op));
  return true;
}

const std::vector<std::string> &test::testedOps() { return registeredOps(); }

void test::expectExecuted(const std::vector<std::string> &ops) {
  for (const std::string &op : ops)
    EXPECT_NE(std::find(executedOps().begin(), executedOps().end(), op), executedOps().end())
        << "the test says that it runs " << op;
}

float test::integer(unsigned seed, unsigned range) {
  uint32_t bits = seed * 2654435761u + 12345;
  bits ^= bits >> 15;
  bits *= 2246822519u;
  bits ^= bits >> 13;
  return float(int(bits % (2 * range + 1)) - int(range));
}

TEST(OpTable, EachEntryHasATest) {
  for (const std::string &op : simt::knownOps())
    EXPECT_NE(std::find(testedOps().begin(), testedOps().end(), op), testedOps().end()) << "no OP_TEST names " << op;
}

// The list at the end of docs/Simt.md.
TEST(OpTable, EachEntryIsInTheDocs) {
  std::ifstream file(SIMT_DOCS);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  size_t begin = text.rfind("```text\n"), end = text.rfind("```");
  ASSERT_TRUE(begin != std::string::npos && begin < end) << "no list in " SIMT_DOCS;
  std::istringstream list(text.substr(begin + 8, end - begin - 8));
  std::vector<std::string> names{std::istream_iterator<std::string>(list), {}};
  std::string expected;
  for (const std::string &op : simt::knownOps())
    expected += op + "\n";
  EXPECT_EQ(names, simt::knownOps()) << "the list should be:\n" << expected;
}

TEST(OpTable, EachTestNamesAnEntry) {
  std::vector<std::string> known = simt::knownOps();
  for (const std::string &op : testedOps())
    EXPECT_TRUE(std::binary_search(known.begin(), known.end(), op)) << op << " is not in the op table";
}
