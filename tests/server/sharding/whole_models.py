"""What a whole model answers, which is what a group must answer."""

import tensorflow as tf


def whole_answers(folder, requests):
    """By the session that TensorFlow itself makes of the SavedModel, for each request's ids."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        signature = loaded.signature_def["serving_default"]
        outputs = {alias: info.name for alias, info in signature.outputs.items()}
        feed = signature.inputs["ids"].name
        return [session.run(outputs, {feed: ids}) for ids in requests]
