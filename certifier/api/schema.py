"""What the OpenAPI says of every operation alike: who may ask, what is refused, the idempotency key."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

WRITES = ("post", "put", "patch")
METHODS = ("get", "delete", *WRITES)

REFUSALS = {
    "BadRequest": ("Something in the request is wrong; each error names its place.", "Errors"),
    "Unauthenticated": ("No token or session, or one that does not hold.", "Detail"),
    "Forbidden": ("The person lacks the role; the text names it.", "Detail"),
    "Missing": ("There is nothing of that name or number.", "Detail"),
    "Conflict": (
        "It contradicts what is there now, or the idempotency key belongs to another request.",
        "Detail",
    ),
    "TooLarge": ("The body is larger than one request may carry.", "Detail"),
    "UnsupportedMediaType": ("The body has a content type this address does not read.", "Detail"),
    "Busy": (
        "The database was busy with another change for too long. Nothing was changed; repeat the request.",
        "Detail",
    ),
}

SHAPES: dict[str, dict[str, Any]] = {
    "Errors": {
        "type": "object",
        "required": ["errors"],
        "additionalProperties": False,
        "properties": {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["message"],
                    "additionalProperties": False,
                    "properties": {
                        "index": {
                            "type": "integer",
                            "minimum": 0,
                            "description": "place in the list that was sent, from 0",
                        },
                        "field": {"type": "string", "description": "the field or parameter that is wrong"},
                        "message": {"type": "string"},
                    },
                },
            }
        },
    },
    "Detail": {
        "type": "object",
        "required": ["detail"],
        "additionalProperties": False,
        "properties": {"detail": {"type": "string"}},
    },
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body answers the first answer again; with another body it is 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "certifier.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token KEY`, the key as `manage.py create_token USER` printed it.",
        }


def add_shared_answers(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular. What an operation says itself stays."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update(SHAPES)
    components["responses"] = {
        name: {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}},
        }
        for name, (text, shape) in REFUSALS.items()
    }
    components.setdefault("parameters", {})["IdempotencyKey"] = IDEMPOTENCY_KEY
    for path, operations in result.get("paths", {}).items():
        for method in METHODS:
            if method in operations:
                _complete(path, method, operations[method])
    return result


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation.setdefault("responses", {})
    names = {parameter.get("name") for parameter in operation.get("parameters", [])}
    for status, name in _refusals(path, method, names).items():
        answers.setdefault(status, {"$ref": f"#/components/responses/{name}"})
    operation["responses"] = dict(sorted(answers.items()))
    if method == "post":
        operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})


def _refusals(path: str, method: str, parameters: set[str | None]) -> dict[str, str]:
    refusals = {"400": "BadRequest", "401": "Unauthenticated", "403": "Forbidden", "503": "Busy"}
    if "{" in path or "tag" in parameters:  # what an address names may not exist; so may a tag that is asked for
        refusals["404"] = "Missing"
    if method in WRITES:
        refusals |= {"404": "Missing", "409": "Conflict", "413": "TooLarge", "415": "UnsupportedMediaType"}
    return refusals
