"""The names that the operator's API has."""

GROUP = "modelfleet.dev"
VERSION = "v1alpha1"
PLURAL = "modeldeployments"
KIND = "ModelDeployment"
DEPLOYMENT_LABEL = f"{GROUP}/deployment"
# Of what belongs to a variant or to the shadow.
ARM_LABEL = f"{GROUP}/arm"
REVISION_LABEL = f"{GROUP}/revision"
# Of the pods that hold a model together.
GROUP_LABEL = f"{GROUP}/group"
