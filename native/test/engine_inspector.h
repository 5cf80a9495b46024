// Looks inside an engine for what must hold between two turns, whatever the shard ordered and the peers did.
#pragma once

#include <string>

#include "engine.h"

namespace fourseven {

class EngineInspector {
 public:
  explicit EngineInspector(Engine& engine) : engine_(engine) {}

  static constexpr size_t kBufferedMax = Engine::kBufferedMax;

  [[nodiscard]] Connection& At(int32_t id) { return *engine_.table_.Find(id); }
  // The first thing that does not hold; empty if all is well.
  [[nodiscard]] std::string FirstFault();

 private:
  std::string FaultOf(const Connection& connection);
  std::string FaultOfState(const Connection& connection);
  std::string FaultOfFlow(const Connection& connection);
  std::string FaultOfOutput(const Connection& connection);
  std::string FaultOfProgress(const Connection& connection);

  Engine& engine_;
};

}  // namespace fourseven
