// Errors as values, for every folder. A Status is OK or a code with one line of text; Result<T> is a
// value or a Status. Both are cheap to move, own their text, and are safe to share between threads as
// constants. Codes carry gRPC's numbers, so a status crosses an RPC unchanged (grpc itself stays out of
// this header). The text says what we tried, on what, and why it failed: `feed https://…: HTTP 503`.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace racewatch::base {

enum class Code : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "UNAVAILABLE" for kUnavailable and so on, as gRPC spells them.
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status Ok() { return {}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // True when the same call may succeed later with no change on our side (a peer is down, overloaded or
  // slow). A worker loop backs off on these and treats every other error as permanent for that record.
  bool retryable() const {
    return code_ == Code::kUnavailable || code_ == Code::kDeadlineExceeded ||
           code_ == Code::kResourceExhausted || code_ == Code::kAborted;
  }

  // The same code with `context: ` before the text.
  Status Annotate(std::string_view context) const;

  // `UNAVAILABLE: feed https://…: HTTP 503`, or `OK`.
  std::string ToString() const;

  friend bool operator==(const Status& a, const Status& b) = default;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

inline Status InvalidArgument(std::string m) { return {Code::kInvalidArgument, std::move(m)}; }
inline Status NotFound(std::string m) { return {Code::kNotFound, std::move(m)}; }
inline Status AlreadyExists(std::string m) { return {Code::kAlreadyExists, std::move(m)}; }
inline Status ResourceExhausted(std::string m) { return {Code::kResourceExhausted, std::move(m)}; }
inline Status FailedPrecondition(std::string m) { return {Code::kFailedPrecondition, std::move(m)}; }
inline Status Aborted(std::string m) { return {Code::kAborted, std::move(m)}; }
inline Status OutOfRange(std::string m) { return {Code::kOutOfRange, std::move(m)}; }
inline Status Internal(std::string m) { return {Code::kInternal, std::move(m)}; }
inline Status Unavailable(std::string m) { return {Code::kUnavailable, std::move(m)}; }
inline Status DataLoss(std::string m) { return {Code::kDataLoss, std::move(m)}; }
inline Status DeadlineExceeded(std::string m) { return {Code::kDeadlineExceeded, std::move(m)}; }
inline Status Cancelled(std::string m) { return {Code::kCancelled, std::move(m)}; }

// Either a T or a Status that is not OK. Reading the value of an error is a programmer error (assert).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!status_.ok() && "a Result without a value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & { assert(ok()); return *value_; }
  const T& value() const& { assert(ok()); return *value_; }
  T&& value() && { assert(ok()); return std::move(*value_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace racewatch::base

// Returns the error of `expr` from the enclosing function, which returns Status or Result.
#define RW_RETURN_IF_ERROR(expr)                                \
  do {                                                          \
    if (auto rw_status = (expr); !rw_status.ok()) return rw_status; \
  } while (false)

#define RW_CONCAT_INNER(a, b) a##b
#define RW_CONCAT(a, b) RW_CONCAT_INNER(a, b)

// RW_ASSIGN_OR_RETURN(auto x, Call()): the value into x, or return the error.
#define RW_ASSIGN_OR_RETURN(lhs, expr)                                   \
  auto RW_CONCAT(rw_result_, __LINE__) = (expr);                         \
  if (!RW_CONCAT(rw_result_, __LINE__).ok())                             \
    return RW_CONCAT(rw_result_, __LINE__).status();                     \
  lhs = std::move(RW_CONCAT(rw_result_, __LINE__)).value()
