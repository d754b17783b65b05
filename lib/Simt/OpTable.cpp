// The op table: what the simulator knows, by name.
#include "OpTable.h"

#include <algorithm>
#include <unordered_map>

using namespace ecf8::simt;

namespace {

struct Tables {
  OpList ops;
  std::unordered_map<std::string_view, const Op *> byName;
  AsmOpList asmOps;

  Tables() {
    addBarrierOps(ops);
    addWarpOps(ops);
    addArithmeticOps(ops);
    addConversionOps(ops);
    addMatrixOps(ops);
    addCopyOps(ops);
    addMBarrierOps(ops);
    addWgmmaOps(ops);
    for (const Op &op : ops)
      byName.emplace(op.name, &op);
    addBasicAsmOps(asmOps);
    addAsyncAsmOps(asmOps);
    addWgmmaAsmOps(asmOps);
    // The longest name that matches is meant.
    std::sort(asmOps.begin(), asmOps.end(),
              [](const AsmOp &a, const AsmOp &b) { return a.name.size() > b.name.size(); });
  }
};

} // namespace

static const Tables &tables() {
  static const Tables instance;
  return instance;
}

const Op *ecf8::simt::findOp(std::string_view name) {
  auto found = tables().byName.find(name);
  return found == tables().byName.end() ? nullptr : found->second;
}

const AsmOp *ecf8::simt::findAsmOp(std::string_view opcode) {
  for (const AsmOp &op : tables().asmOps) {
    std::string_view name = op.name.substr(4);
    if (opcode.starts_with(name) &&
        (opcode.size() == name.size() || opcode[name.size()] == '.' || opcode.substr(name.size()).starts_with("::")))
      return &op;
  }
  return nullptr;
}

std::vector<std::string> ecf8::simt::knownOps() {
  std::vector<std::string> names;
  for (const Op &op : tables().ops)
    names.emplace_back(op.name);
  for (const AsmOp &op : tables().asmOps)
    names.emplace_back(op.name);
  std::sort(names.begin(), names.end());
  return names;
}
