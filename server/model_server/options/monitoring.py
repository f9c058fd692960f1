"""Whether and where metrics are served."""

from model_server.options.flags import Options
from model_server.options.messages import MonitoringConfig
from model_server.options.text_files import read_text_file

_DEFAULT_PATH = "/monitoring/prometheus/metrics"


def prometheus_path(options: Options) -> str | None:
    """The path of the metrics on the REST port, or None if they are turned off.

    Without --monitoring_config_file they are on, unlike TensorFlow Serving's: a server whose
    metrics must be asked for is a server nobody watches. Raises InvalidOptions.
    """
    if not options.monitoring_config_file:
        return _DEFAULT_PATH
    config = MonitoringConfig()
    read_text_file(options.monitoring_config_file, config)
    if not config.prometheus_config.enable:
        return None
    return config.prometheus_config.path or _DEFAULT_PATH
