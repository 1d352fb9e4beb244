// Files of RocksDB that remember how much of each log has been synced: the rest is what a power cut may take. Thread-safe.
#pragma once

#include <rocksdb/env.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace racewatch::store {

class PowerCutEnv final : public rocksdb::EnvWrapper {
 public:
  PowerCutEnv() : EnvWrapper(rocksdb::Env::Default()) {}
  const char* Name() const override { return "PowerCutEnv"; }

  // Bytes of each log that a power cut leaves.
  std::map<std::string, uint64_t> Synced() const {
    const std::scoped_lock lock(mutex_);
    return synced_;
  }

  rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>* file, const rocksdb::EnvOptions& options) override {
    const rocksdb::Status status = EnvWrapper::NewWritableFile(name, file, options);
    if (!status.ok() || !name.ends_with(".log")) return status;
    Note(name, 0);
    *file = std::make_unique<Log>(std::move(*file), name, this);
    return status;
  }

 private:
  class Log final : public rocksdb::WritableFileWrapper {
   public:
    Log(std::unique_ptr<rocksdb::WritableFile> file, std::string name, PowerCutEnv* env)
        : WritableFileWrapper(file.get()), file_(std::move(file)), name_(std::move(name)), env_(env) {}
    rocksdb::Status Sync() override { return Noted(file_->Sync(), file_->GetFileSize()); }
    rocksdb::Status Fsync() override { return Noted(file_->Fsync(), file_->GetFileSize()); }

   private:
    rocksdb::Status Noted(const rocksdb::Status& synced, uint64_t bytes) {
      if (synced.ok()) env_->Note(name_, bytes);
      return synced;
    }
    const std::unique_ptr<rocksdb::WritableFile> file_;
    const std::string name_;
    PowerCutEnv* const env_;
  };

  void Note(const std::string& name, uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    synced_[name] = bytes;
  }

  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> synced_;
};

}  // namespace racewatch::store
