// What a launch says when it fails.
#include "Block.h"
#include "ModuleImpl.h"

using namespace ecf8::simt;

static std::string text(Dim3 v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

std::string ecf8::simt::describeThread(const Context &context) {
  return "block " + text({context.ctaid[0], context.ctaid[1], context.ctaid[2]}) + ", thread " +
         text({context.tid[0], context.tid[1], context.tid[2]});
}

void Launch::fail(std::string message) {
  std::lock_guard<std::mutex> lock(mutex);
  if (error.isOk())
    error = Status(StatusCode::Aborted, "kernel '" + kernel->name + "', " + message);
  stop = true;
}

ecf8::Status Launch::status() {
  std::lock_guard<std::mutex> lock(mutex);
  return error;
}

/// Says, place by place, which threads are waiting for what.
void Block::reportDeadlock(const char *kind) {
  hasFailed = true;
  std::string message = std::string(kind) + ": no thread can go on";
  if (std::string_view(kind) == "livelock")
    message = "livelock: all runnable threads only poll, for " + std::to_string(idleRounds) + " rounds";
  const Context *first = nullptr;
  std::vector<bool> told(threads);
  unsigned numPlaces = 0;
  for (unsigned t = 0; t < threads; ++t) {
    const Context &context = *contexts[t];
    if (context.wait == Wait::Exited || told[t])
      continue;
    if (!first)
      first = &context;
    std::string members;
    for (unsigned u = t; u < threads; ++u) {
      const Context &other = *contexts[u];
      if (other.wait != context.wait || other.site != context.site || other.waitMask != context.waitMask)
        continue;
      unsigned end = u;
      while (end < threads && contexts[end]->wait == context.wait && contexts[end]->site == context.site &&
             contexts[end]->waitMask == context.waitMask)
        told[end++] = true;
      members += (members.empty() ? "" : ",") + std::to_string(u) + (end > u + 1 ? "-" + std::to_string(end - 1) : "");
      u = end;
    }
    if (++numPlaces > 6)
      continue;
    message += "; threads " + members + " at " + (context.site ? context.site->what : "their start");
    if (context.site && !context.site->where.empty())
      message += " (" + context.site->where + ")";
    if (context.wait == Wait::Collective) {
      char mask[16];
      snprintf(mask, sizeof mask, "0x%08x", context.waitMask);
      message += std::string(" with members ") + mask;
    }
  }
  if (numPlaces > 6)
    message += "; and " + std::to_string(numPlaces - 6) + " more places";
  if (unsigned exited = threads - liveThreads)
    message += "; " + std::to_string(exited) + " threads have exited";
  currentLaunch->fail((first ? describeThread(*first) : "block") + ": " + message);
}

void ecf8::simt::fail(Context &context, const CallSite *site, std::string message) {
  std::string text = describeThread(context) + ": ";
  if (site) {
    text += site->what;
    if (!site->where.empty())
      text += " (" + site->where + ")";
    text += ": ";
  }
  context.block->launch().fail(text + message);
  // The stack is left as it is: what these strings own must go first.
  std::string().swap(text);
  std::string().swap(message);
  context.block->leave(context);
}
