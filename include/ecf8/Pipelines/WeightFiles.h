// The weights that a program is compiled with: safetensors files on one side, the module's globals on the other.
#ifndef ECF8_PIPELINES_WEIGHTFILES_H
#define ECF8_PIPELINES_WEIGHTFILES_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "ecf8/Support/Safetensors.h"
#include "ecf8/Support/Status.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace mlir::ecf8 {

/// One or several safetensors files, plain or compressed (docs/Checkpoint.md), as one set of tensors. The files stay
/// mapped as long as the object lives.
class WeightFiles {
public:
  struct Entry {
    const ::ecf8::SafetensorsFile *file;
    const ::ecf8::SafetensorsTensor *tensor; ///< with the dtype and shape of the original, where that was compressed
    bool isPayload = false;                  ///< the bytes are a payload of the tensor
    ::ecf8::ByteSpan bytes() const { return file->bytes(*tensor); }
    void releasePages() const { file->releasePages(*tensor); }
  };

  /// Each path is a file, or a folder with shards: the files that its model.safetensors.index.json names, else all
  /// *.safetensors in it. A tensor that two files hold is an error.
  ::ecf8::Status open(llvm::ArrayRef<std::string> paths);

  const Entry *find(llvm::StringRef name) const;
  bool empty() const { return files.empty(); }
  /// "w.safetensors", or "w.safetensors and 3 more files".
  std::string describe() const;
  /// Names of the tensors for which `isUsed` says no, in the order of the files.
  std::vector<std::string> namesWhere(llvm::function_ref<bool(llvm::StringRef)> isWanted) const;

private:
  ::ecf8::Status addFile(const std::string &path);
  ::ecf8::Status addFolder(const std::string &path);

  std::vector<std::unique_ptr<::ecf8::SafetensorsFile>> files;
  std::deque<::ecf8::SafetensorsTensor> originals; ///< of the payloads in compressed files
  llvm::StringMap<Entry> entries;
};

/// A global of the module with its content. The position in the list is that of the global among the module's globals.
struct ModuleWeight {
  mutable GlobalOp global;   ///< an op handle: its accessors are not const
  std::string name;          ///< the key, or the symbol where the content is inline
  std::string dtype;         ///< of the decoded elements, as in the manifest
  bool isContracted = false; ///< contractions that are to be fused are all that reads it
  bool isTransposed = false; ///< `content` is the transpose of the global: its last two dimensions are exchanged
  ::ecf8::ByteSpan content;
  bool isPayload = false; ///< `content` is a payload of the weight, though the global is not compressed
  const WeightFiles::Entry *source = nullptr; ///< backs `content` where that comes from a file
  std::vector<uint8_t> storage;               ///< backs `content` where the IR does not hold plain bytes

  /// The shape of the decoded `content`.
  std::vector<int64_t> getContentShape() const;

  /// For when `content` will not be read for a while: keeps what can be read again from its file out of memory.
  void releasePages() const {
    if (source)
      source->releasePages();
  }
};

struct BindOptions {
  bool refuseUnused = false; ///< a tensor of the files that the program does not use is an error
  bool noteUnused = true;    ///< else it is a note
};

/// Finds the content of every `ecf8.global` in `module`: in `files` by its key, or inline. A missing tensor and one of
/// another element type or shape are errors at the global. Fills in `weights`.
LogicalResult bindWeights(ModuleOp module, const WeightFiles &files, const BindOptions &options,
                          std::vector<ModuleWeight> &weights);

/// The manifest's name of an element type (f32, f8E4M3FN, i64, ui8 ...); empty where weights cannot have it.
std::string getDTypeName(Type type);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_WEIGHTFILES_H
