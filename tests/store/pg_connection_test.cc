// What a connection to PostgreSQL says when the server refuses one of many calls under way, falls silent or goes away.
#include "store/pg_connection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/store/pg_server.h"

namespace racewatch::store {
namespace {

using std::chrono::milliseconds;

class PgConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.why().empty()) GTEST_SKIP() << server_.why();
    connection_ = Open();
  }
  std::unique_ptr<PgConnection> Open(milliseconds silence_max = PgConnection::kSilenceMax) {
    auto opened = PgConnection::Open(server_.conninfo(), "", silence_max);
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return std::move(opened).value();
  }
  // Refused while it is carried out (22012) when `divisor` is 0.
  static PgCall Divide(int64_t divisor) { return std::move(PgCall("SELECT 12 / $1").Number(divisor)); }
  static PgCall Large(size_t bytes) { return std::move(PgCall("SELECT length($1::bytea)::int8").Bytes(std::string(bytes, 'x'))); }

  const PgServer server_;
  std::unique_ptr<PgConnection> connection_;
};

// The shape of a commit: reads, a request to flush, writes; then, once the reads are there, more reads, a request to flush,
// more writes and the end. Whichever call the server refuses, the refusal is what comes, though it passes over all that was
// sent after it, requests to flush among it; and the connection can be used again.
TEST_F(PgConnectionTest, WhicheverOfManyCallsIsRefusedItIsTheRefusalThatComes) {
  constexpr size_t kCalls = 8;
  for (size_t refused = 0; refused <= kCalls; ++refused) {
    for (const bool large : {false, true}) {
      SCOPED_TRACE(testing::Message() << "call " << refused << " of " << kCalls << (large ? ", large calls between" : ""));
      PgConnection& c = *connection_;
      size_t sent = 0;
      const auto send = [&](size_t calls) {
        for (size_t i = 0; i < calls; ++i, ++sent) {
          RW_RETURN_IF_ERROR(c.Send(Divide(sent == refused ? 0 : 3)));
          if (large) RW_RETURN_IF_ERROR(c.Send(Large(128 << 10)));
        }
        return base::Status();
      };
      const auto commit = [&]() -> base::Status {
        RW_RETURN_IF_ERROR(c.Send(PgCall("BEGIN")));
        RW_RETURN_IF_ERROR(send(2));
        RW_RETURN_IF_ERROR(c.Flush());
        RW_RETURN_IF_ERROR(send(2));
        RW_RETURN_IF_ERROR(c.Await(large ? 5 : 3).status());
        RW_RETURN_IF_ERROR(send(2));
        RW_RETURN_IF_ERROR(c.Flush());
        RW_RETURN_IF_ERROR(c.Await(c.under_way()).status());
        RW_RETURN_IF_ERROR(send(2));
        RW_RETURN_IF_ERROR(c.Send(PgCall("COMMIT")));
        return c.Finish().status();
      };
      const base::Status status = commit();
      if (refused == kCalls) {
        EXPECT_TRUE(status.ok()) << status.ToString();
      } else {
        EXPECT_NE(status.message().find("(22012)"), std::string::npos) << status.ToString();
        c.Drop();
      }
      EXPECT_EQ(c.under_way(), 0u);
      EXPECT_TRUE(c.Run("ROLLBACK").ok());
      auto answer = c.Ask(Divide(4));
      ASSERT_TRUE(answer.ok()) << answer.status().ToString();
      EXPECT_EQ(answer->Bytes(0, 0).size(), 8u);
    }
  }
}

// A server that is at work does not read, so what is sent last waits in the client until it does; by then it has refused the
// first call, and says nothing more before it gets an end. The refusal, read while that last part was sent, must be looked at
// without waiting for more to come (PQgetResult waits: it parses, then flushes, which may read, then waits).
TEST_F(PgConnectionTest, ARefusalReadWhileTheLastCallsAreSentIsNotWaitedFor) {
  for (int large = 1; large <= 40; ++large) {
    SCOPED_TRACE(large);
    PgConnection& c = *connection_;
    ASSERT_TRUE(c.Send(PgCall("SELECT 12 / ($1 * length(pg_sleep(0.03)::text || 'x'))").Number(0)).ok());
    ASSERT_TRUE(c.Push().ok());
    for (int i = 0; i < large; ++i) ASSERT_TRUE(c.Send(Large(16 << 10)).ok());
    const base::Status status = c.Await(1).status();
    EXPECT_NE(status.message().find("(22012)"), std::string::npos) << status.ToString();
    ASSERT_EQ(c.under_way(), 0u);
  }
}

// A server that says nothing, and reads nothing either, holds nobody up for ever: neither who waits for its answer nor who
// sends more than the wire takes.
TEST_F(PgConnectionTest, AServerThatSaysNothingIsGivenUp) {
  for (const int large : {0, 64}) {
    const auto c = Open(milliseconds(200));
    ASSERT_TRUE(c->Send(PgCall("SELECT 1 FROM pg_sleep(5)")).ok());
    ASSERT_TRUE(c->Push().ok());
    for (int i = 0; i < large; ++i) ASSERT_TRUE(c->Send(Large(128 << 10)).ok());
    const base::Status status = c->Finish().status();
    EXPECT_EQ(status.code(), base::Code::kUnavailable) << status.ToString();
    EXPECT_NE(status.message().find("no answer for 200 ms"), std::string::npos) << status.ToString();
    EXPECT_TRUE(c->broken());
    EXPECT_EQ(c->under_way(), 0u);
  }
}

TEST_F(PgConnectionTest, AServerThatEndsTheConnectionIsUnavailable) {
  PgConnection& c = *connection_;
  const auto pid = c.Ask(PgCall("SELECT pg_backend_pid()::int8"));
  ASSERT_TRUE(pid.ok());
  ASSERT_TRUE(c.Send(PgCall("SELECT 1")).ok());
  ASSERT_TRUE(Open()->Ask(PgCall("SELECT pg_terminate_backend($1::int4)").Number(pid->Number(0, 0))).ok());
  const base::Status status = c.Finish().status();
  EXPECT_EQ(status.code(), base::Code::kUnavailable) << status.ToString();
  EXPECT_EQ(c.Run("SELECT 1").code(), base::Code::kUnavailable);
  EXPECT_TRUE(c.broken());
}

}  // namespace
}  // namespace racewatch::store
