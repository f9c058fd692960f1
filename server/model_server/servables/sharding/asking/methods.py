"""The method by which members ask each other."""

PREDICT = "/tensorflow.serving.PredictionService/Predict"
