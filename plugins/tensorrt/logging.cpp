#include "logging.h"

#include <atomic>
#include <cstdio>

namespace spikehalt
{
namespace
{

std::atomic<nvinfer1::ILoggerFinder*> loggerFinder{nullptr};

} // namespace

void useLoggerOf(nvinfer1::ILoggerFinder* finder) noexcept
{
    loggerFinder.store(finder);
}

void logError(char const* where, char const* what) noexcept
{
    char message[512];
    std::snprintf(message, sizeof(message), "spikehalt %s: %s", where, what);
    nvinfer1::ILoggerFinder* const finder = loggerFinder.load();
    nvinfer1::ILogger* const logger = finder == nullptr ? nullptr : finder->findLogger();
    if (logger != nullptr)
    {
        logger->log(nvinfer1::ILogger::Severity::kERROR, message);
        return;
    }
    std::fprintf(stderr, "%s\n", message);
}

} // namespace spikehalt
