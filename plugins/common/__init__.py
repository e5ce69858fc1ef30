"""What the ops share: names and attributes, the ONNX body builder, the registry of ops."""
