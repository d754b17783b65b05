// The files of a checkpoint: one file, a folder with shards and an index, or a snapshot folder full of links.
#ifndef ECF8_CHECKPOINT_LISTING_H
#define ECF8_CHECKPOINT_LISTING_H

#include "ecf8/Checkpoint/CheckpointFile.h"

namespace ecf8 {

struct ListedFile {
  std::string name; ///< relative to the root, with '/' between folders
  std::string path;
  uint64_t sizeBytes = 0;

  bool isSafetensors() const { return name.ends_with(".safetensors"); }
  bool isIndex() const { return name.ends_with(".safetensors.index.json"); }
};

struct Listing {
  std::string root; ///< the folder; of a single file, its own path
  bool isFolder = false;
  std::vector<ListedFile> files; ///< by name; without temporaries of unfinished writers
  std::vector<std::string> folders;
};

/// Lists a file, or a folder with all that is below it. Links are followed; one that leads nowhere or in a circle is an
/// error.
Result<Listing> listCheckpoint(const std::string &path);

/// A file's tensors by its name in the listing.
using OpenedFiles = std::map<std::string, CheckpointFile>;

/// Opens all safetensors files of a listing. A file with the name of one that is a pickle or GGUF is an error among
/// others; where there are no others, the result is empty.
Result<OpenedFiles> openFiles(const Listing &listing);

/// Names a file of a listing without safetensors that holds weights in another format, and says what would help. Empty
/// if there is none.
std::string explainForeign(const Listing &listing);

/// Checks each index of the folder: the files that it names are there and hold the tensors it says they hold.
Status checkIndexes(const Listing &listing, const OpenedFiles &files);

/// Why there is nothing to compress in a checkpoint without FP8 tensors: what it holds instead, and what would help.
std::string explainNothing(const Listing &listing, const OpenedFiles &files);

} // namespace ecf8

#endif // ECF8_CHECKPOINT_LISTING_H
