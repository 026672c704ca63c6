"""Unrolled networks: classical algorithms as torch modules, initialised to the algorithm."""

from unrolled.networks.certificate import certificate
from unrolled.networks.contractive import (
    FirmlyNonexpansive,
    FirmProxNet,
    NonexpansiveConv2d,
    NonexpansiveLinear,
    conv_norm,
)
from unrolled.networks.convergent import ContractiveLISTA, ConvergentLISTA
from unrolled.networks.coupled import ALISTA, LISTACP, TiLISTA, selection_schedule
from unrolled.networks.divergence import MonteCarloDivergence
from unrolled.networks.gradient import GradientNet
from unrolled.networks.hyperlista import HyperLISTA
from unrolled.networks.lista import LISTA
from unrolled.networks.oamp import OAMPNet
from unrolled.networks.proxnet import ProxNet, SoftThreshold
from unrolled.networks.unet import UNet
from unrolled.networks.unrolled import UnrolledNet

__all__ = [
    "ALISTA",
    "LISTA",
    "LISTACP",
    "ContractiveLISTA",
    "ConvergentLISTA",
    "FirmProxNet",
    "FirmlyNonexpansive",
    "GradientNet",
    "HyperLISTA",
    "MonteCarloDivergence",
    "NonexpansiveConv2d",
    "NonexpansiveLinear",
    "OAMPNet",
    "ProxNet",
    "SoftThreshold",
    "TiLISTA",
    "UNet",
    "UnrolledNet",
    "certificate",
    "conv_norm",
    "selection_schedule",
]
