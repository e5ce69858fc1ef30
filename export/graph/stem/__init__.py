"""The stem, convolution by convolution."""
