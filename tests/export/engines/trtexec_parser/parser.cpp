// trtexec's own reading of its command line, and nothing after it: no TensorRT, no GPU.
//
// Linked with samples/common/sampleOptions.cpp of a TensorRT checkout. Prints what trtexec would do, and exits
// with 1 where trtexec would refuse the command (the same steps as parseArgs() in its trtexec.cpp).

#include "logger.h"
#include "sampleOptions.h"

#include <cuda_runtime_api.h>
#include <iostream>
#include <stdexcept>

// The options of 10.x ask what the device can do; no device is here.
extern "C" cudaError_t cudaGetDevice(int* device)
{
    *device = 0;
    return cudaSuccess;
}

extern "C" cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int)
{
    *value = 0;
    return cudaSuccess;
}

extern "C" char const* cudaGetErrorString(cudaError_t)
{
    return "no error";
}

int main(int argc, char* argv[])
{
    try
    {
        auto arguments = sample::argsToArgumentsMap(argc, argv);
        sample::AllOptions options;
        options.parse(arguments);
        for (auto const& argument : arguments)
        {
            std::cerr << "Unknown option: " << argument.first << std::endl;
        }
        std::cout << options;
        return arguments.empty() && !options.helps ? 0 : 1;
    }
    catch (std::invalid_argument const& error)
    {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
