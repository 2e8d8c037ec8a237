// The server has uPlot's ES module at /uplot.js, beside the page's own.
import uPlot from 'uplot'
export default uPlot
