"""What a job tells its reader: the HTML report, the package's model card, and the tables of the terminal.

Renders records; measures nothing, decides nothing, and knows neither the steps nor their order.
"""
