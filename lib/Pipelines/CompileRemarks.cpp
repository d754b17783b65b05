// Collects the remarks of the passes.
#include "ecf8/Pipelines/CompileRemarks.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/raw_ostream.h"
#include <iterator>
#include <map>
#include <mutex>

namespace mlir::ecf8 {
namespace {

class RemarkCollector : public remark::detail::MLIRRemarkStreamerBase {
public:
  RemarkCollector(RemarkSelection selection, std::vector<CompileRemark> &remarks)
      : selection(selection), remarks(remarks) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    const bool isMissed = remark.getRemarkType() == llvm::remarks::Type::Missed;
    if (selection == RemarkSelection::All || (selection == RemarkSelection::Missed && isMissed))
      emitRemark(remark.getLocation(), remark.getMsg());
    CompileRemark kept;
    kept.pass = remark.getCategoryName();
    kept.outcome = remark.getRemarkTypeString();
    kept.name = remark.getRemarkName();
    kept.function = remark.getFunction();
    llvm::raw_string_ostream(kept.location) << remark.getLocation();
    for (const remark::detail::Remark::Arg &argument : remark.getArgs())
      kept.arguments.emplace_back(argument.key, argument.val);
    std::scoped_lock lock(mutex);
    remarks.push_back(std::move(kept));
  }

private:
  RemarkSelection selection;
  std::vector<CompileRemark> &remarks;
  std::mutex mutex;
};

} // namespace

LogicalResult collectRemarks(MLIRContext &context, RemarkSelection selection, std::vector<CompileRemark> &remarks) {
  remark::RemarkCategories categories;
  categories.passed = categories.missed = categories.analysis = categories.failed = "ecf8-.*";
  return remark::enableOptimizationRemarks(context, std::make_unique<RemarkCollector>(selection, remarks),
                                           std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
}

void sortRemarks(std::vector<CompileRemark> &remarks) {
  std::map<std::pair<std::string, std::string>, std::vector<CompileRemark>> groups;
  for (CompileRemark &remark : remarks)
    groups[{remark.pass, remark.function}].push_back(std::move(remark));
  remarks.clear();
  for (auto &[key, group] : groups)
    std::move(group.begin(), group.end(), std::back_inserter(remarks));
}

void printJson(llvm::json::OStream &stream, const std::vector<CompileRemark> &remarks) {
  for (const CompileRemark &remark : remarks)
    stream.object([&] {
      stream.attribute("pass", remark.pass);
      stream.attribute("outcome", remark.outcome);
      stream.attribute("name", remark.name);
      stream.attribute("function", remark.function);
      stream.attribute("location", remark.location);
      stream.attributeObject("arguments", [&] {
        for (const auto &[key, value] : remark.arguments)
          stream.attribute(key, value);
      });
    });
}

} // namespace mlir::ecf8
