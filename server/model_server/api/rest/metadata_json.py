"""A servable's signatures as the REST API spells them."""

from google.protobuf import json_format

from model_server.api.rest import json_writer
from model_server.servables.definitions import signature_defs
from model_server.service.metadata import Metadata


def metadata(found: Metadata) -> str:
    """The answer's text: two messages in protobuf's JSON, joined by hand as upstream does."""
    signatures = json_format.MessageToJson(
        signature_defs(found.servable),
        indent=1,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        ensure_ascii=False,
    )
    spec = (
        f'{{\n "name": {json_writer.string(found.name)},\n "signature_name": "",\n'
        f' "version": "{found.version}"\n}}\n'
    )
    return f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {signatures}\n}}\n}}\n'
