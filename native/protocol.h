// The numbers that cross the door: src/engine/protocol.ts holds the same ones, says what they mean, and a test compares
// the two.
#pragma once

#include <cstdint>

namespace fourseven {

constexpr uint32_t kIndexBits = 20;
constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;
constexpr uint32_t kEventWords = 8;
constexpr uint32_t kEventsMax = 1024;
constexpr uint32_t kCommandsMaxWords = 32768;
constexpr uint32_t kRangesMax = 64;

constexpr uint32_t kReceiveBytes = 2 * 1024 * 1024;
constexpr uint32_t kScratchOffset = kReceiveBytes;
constexpr uint32_t kScratchBytes = 1024 * 1024;
constexpr uint32_t kConstantsOffset = kScratchOffset + kScratchBytes;
constexpr uint32_t kConstantsBytes = 8 * 1024 * 1024;
constexpr uint32_t kSlabBytes = kConstantsOffset + kConstantsBytes;
constexpr uint32_t kReceiveMaxBytes = 64 * 1024;
constexpr uint32_t kHoldMaxBytes = 256 * 1024;
constexpr uint32_t kRetainMaxBytes = 256 * 1024;

namespace event {
constexpr int32_t kAccepted = 1;
constexpr int32_t kData = 2;
constexpr int32_t kConnected = 3;
constexpr int32_t kConnectFailed = 4;
constexpr int32_t kRelayDone = 5;
constexpr int32_t kEnd = 6;
constexpr int32_t kClosed = 7;
constexpr int32_t kDeadline = 8;
constexpr int32_t kTunnelClosed = 9;
constexpr int32_t kSecured = 10;
}  // namespace event

namespace tunnel_end {
constexpr int32_t kClean = 0;
constexpr int32_t kFirstFailed = 1;
constexpr int32_t kSecondFailed = 2;
constexpr int32_t kIdle = 3;
constexpr int32_t kOrdered = 4;
}  // namespace tunnel_end

namespace command {
constexpr int32_t kSend = 1;
constexpr int32_t kRelay = 2;
constexpr int32_t kTunnel = 3;
constexpr int32_t kHold = 4;
constexpr int32_t kPause = 5;
constexpr int32_t kResume = 6;
constexpr int32_t kDeadline = 7;
constexpr int32_t kHalfClose = 8;
constexpr int32_t kClose = 9;
constexpr int32_t kReset = 10;
constexpr int32_t kReplay = 11;
constexpr int32_t kRelease = 12;
constexpr int32_t kSecure = 13;
}  // namespace command

constexpr int32_t kSendRetain = 1;
constexpr int32_t kSecuredResumed = 1;
constexpr int32_t kSecuredWithCertificate = 2;
constexpr int32_t kRelayUntilEnd = -1;
constexpr int32_t kDeadlineAbsolute = 0;
constexpr int32_t kDeadlineIdle = 1;
constexpr int32_t kDeadlineTickMs = 20;
constexpr int32_t kFlushMaxMs = 30000;
constexpr uint32_t kLingerMaxBytes = 8 * 1024 * 1024;

namespace counter {
constexpr uint32_t kConnectionsOpen = 0;
constexpr uint32_t kConnectionsAccepted = 1;
constexpr uint32_t kConnectionsDialed = 2;
constexpr uint32_t kTurns = 3;
constexpr uint32_t kRounds = 4;
constexpr uint32_t kEvents = 5;
constexpr uint32_t kBytesCopied = 6;
constexpr uint32_t kBytesSpliced = 7;
constexpr uint32_t kPipesOpen = 8;
constexpr uint32_t kAcceptPauses = 9;
constexpr uint32_t kDescriptorsOpen = 10;
constexpr uint32_t kHandshakes = 11;
constexpr uint32_t kHandshakesResumed = 12;
constexpr uint32_t kHandshakesFailed = 13;
constexpr uint32_t kNowMs = 14;
}  // namespace counter

constexpr uint32_t kCountersListenerOffset = 16;
constexpr uint32_t kCountersPerListener = 4;
namespace listener_counter {
constexpr uint32_t kConnections = 0;
constexpr uint32_t kAccepted = 1;
constexpr uint32_t kBytesReceived = 2;
constexpr uint32_t kBytesSent = 3;
}  // namespace listener_counter
constexpr uint32_t kListenersMax = 1024;
constexpr uint32_t kCountersLength = kCountersListenerOffset + kCountersPerListener * kListenersMax;

}  // namespace fourseven
