"""The measurements that problems of Moré, Garbow and Hillstrom (1981) are fitted to."""

from __future__ import annotations

import numpy as np

__all__ = ["bard", "gaussian", "kowalik_osborne", "meyer", "osborne_1", "osborne_2"]


def bard() -> np.ndarray:
    """Problem 8, shape (15,)."""
    return np.array(
        [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    )


def gaussian() -> np.ndarray:
    """Problem 9, shape (15,): symmetric about its eighth entry."""
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    return np.array([*half, 0.3989, *half[::-1]])


def meyer() -> np.ndarray:
    """Problem 10, shape (16,)."""
    first = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744]
    last = [8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
    return np.array([*first, *last], dtype=np.float64)


def kowalik_osborne() -> tuple[np.ndarray, np.ndarray]:
    """Problem 15: y and u, shape (11,) each."""
    y = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    u = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]
    return np.array(y), np.array(u)


def osborne_1() -> np.ndarray:
    """Problem 17, shape (33,)."""
    thousandths = """
        844 908 932 936 925 908 881 850 818 784 751 718 685 658 628 603 580
        558 538 522 506 490 478 467 457 448 438 431 424 420 414 411 406
    """
    return np.array(thousandths.split(), dtype=np.float64) / 1000.0


def osborne_2() -> np.ndarray:
    """Problem 19, shape (65,)."""
    thousandths = """
        1366 1191 1112 1013 991 885 831 847 786 725 746 679 608 655 616 606 602 626 651 724 649 649
        694 644 624 661 612 558 533 495 500 423 395 375 372 391 396 405 428 429 523 562 607 653 672
        708 633 668 645 632 591 559 597 625 739 710 729 720 636 581 428 292 162 98 54
    """
    return np.array(thousandths.split(), dtype=np.float64) / 1000.0
